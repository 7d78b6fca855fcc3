#pragma once
// Training as one object: a spec and an engine in, a trained model out. For your own graph there is
// train_on(), for your own loop an executor (nn/make_executor.h).
//
//   TrainSpec spec{.data = {.path = "PHOTOS"}, .model = {.name = "cnn"}, .epochs = 5};
//   TrainingSession session(spec, cpu::make_engine());
//   std::cout << session.plan();
//   std::cout << session.run().best().validation->accuracy() << '\n';
//   session.save("photos.safetensors");
//
// Nothing is printed, no signal is handled, and no file is written unless the spec names a run
// directory.

#include <millrace/pipeline/plan.h>
#include <millrace/training/compose_training.h>
#include <millrace/training/logger.h>
#include <millrace/training/prepare_training.h>
#include <millrace/training/run_directory.h>
#include <millrace/training/streamed_data.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// The result of a training.
struct TrainingResult {
  Report report;                      ///< of the pipeline
  std::vector<EpochRecord> epochs{};  ///< with those before a run was resumed
  bool stopped = false;               ///< by the stop token
  /// Why it ended before its last epoch, from a callback, or why nothing was left to train;
  /// else empty.
  std::string reason{};

  /// The best epoch by the monitored figure, else the last. Throws Error if no epoch is complete.
  [[nodiscard]] const EpochRecord& best() const;
};

/// Called while a session runs. All may be empty. Those of Logger::Watchers are called on
/// the observers' thread, during the next step; the others on the thread of run().
struct TrainingWatchers {
  std::function<void(const StepRecord&)> on_step{};
  std::function<void(const EpochRecord&)> on_epoch{};
  std::function<void(const Snapshot&, const StepRecord&)> on_snapshot{};
  SessionWatch before{};  ///< of the work before the first step
  /// After loading, with what was left out.
  std::function<void(const Report&)> on_loaded{};
  /// Once the executor has the run's first weights.
  std::function<void()> on_weights{};
  std::function<void(const Resumption&)> on_resumed{};
  std::function<void()> on_begin{};  ///< just before the pipeline runs
  /// The pipeline has ended or failed: may add to its report, and returns further members of
  /// report.json, name and JSON text.
  std::function<std::vector<std::pair<std::string, std::string>>(Report&)> on_end{};
};

/// Thread safety: none. It runs once.
class TrainingSession {
 public:
  /// Opens the data, resolves and compiles; nothing large is allocated and nothing written. Throws
  /// UsageError for an invalid spec, Error for data, models or weights that cannot be
  /// used, Stopped.
  TrainingSession(TrainSpec spec, std::shared_ptr<const nn::Engine> engine,
                  const SessionOptions& options = {});
  /// The same with an engine that is made once the spec is resolved.
  TrainingSession(TrainSpec spec, const EngineMaker& make_engine,
                  const SessionOptions& options = {});
  /// The same on a stream, with no DATA in the spec. Options of the order of samples have no
  /// effect: a stream has its own.
  TrainingSession(TrainSpec spec, StreamedData data, std::shared_ptr<const nn::Engine> engine,
                  const SessionOptions& options = {});
  /// Resumes the run in a directory; `change` may change its spec, as a command line does
  /// (more epochs, patience, measures, pruning). Throws as open_resumed() too.
  [[nodiscard]] static TrainingSession resume(const std::filesystem::path& run,
                                              std::shared_ptr<const nn::Engine> engine,
                                              const std::function<void(TrainSpec&)>& change = {},
                                              SessionOptions options = {});
  /// The same of a run that was begun on a stream, which must be that stream.
  [[nodiscard]] static TrainingSession resume(const std::filesystem::path& run, StreamedData data,
                                              std::shared_ptr<const nn::Engine> engine,
                                              const std::function<void(TrainSpec&)>& change = {},
                                              SessionOptions options = {});

  /// The spec with what was chosen.
  [[nodiscard]] const TrainSpec& spec() const noexcept { return training_.spec; }
  [[nodiscard]] const Training& training() const noexcept { return training_; }
  /// Stages, and the worst case of memory.
  [[nodiscard]] Plan plan() const;
  /// Throws BudgetError or Error if the planned memory is not available.
  void check() const;
  /// For a spec without a directory, before run(). Throws UsageError for a resumed run, and
  /// if the spec's `overwrite` would replace the files that it starts from.
  void write_into(std::filesystem::path directory);

  /// Trains to the last epoch, until a callback ends it, or until `stop`. Throws StageError as
  /// Pipeline::run() does, Error (disk, an existing run), Stopped if `stop` comes
  /// before the first step; check()'s too.
  TrainingResult run(std::stop_token stop = {}, const TrainingWatchers& watchers = {});

  /// Takes memory and writes the first weights, for train_on(); run() does so itself.
  void allocate() const { millrace::allocate(training_); }

  /// Writes the current model; after a run whose callbacks restored the best weights, with
  /// those. Requires: run() or allocate(). Throws Error (disk).
  void save(const std::filesystem::path& file) const;
  /// Null if the spec names no directory, and before run().
  [[nodiscard]] RunDirectory* directory() noexcept;

 private:
  /// What the feed needs loaded.
  void load(std::stop_token stop, const TrainingWatchers& watchers);
  TrainingResult run_pipeline(std::stop_token stop, const TrainingWatchers& watchers);
  [[nodiscard]] std::filesystem::path trace_file() const;
  void open_directory(std::stop_token stop);
  void write_what_is_known();

  Training training_;
  std::optional<RunDirectory> directory_;
  bool has_run_ = false;
};

/// Trains on the batches of your own graph: see compose_training.h. The session is
/// allocated before the pipeline runs, and not run.
void train_on(Pipeline& pipeline, Stream<Lease<HostBatch>> batches, const TrainingSession& session,
              Logger::Watchers watchers = {});

}  // namespace millrace

#pragma once
// The ways in which a training run gets its batches: read and decoded as they are needed (files), a
// few that are fed over and over (replay), all from a device's memory (resident), what frozen
// layers made of them (features), or from the program's own stream (stream). One interface, so that
// composing, measuring and reporting a training, and its steps, are the same for all.
//
//   const FileFeed feed({.training = SampleSet::all(photos),
//                        .order = {.batch = 32, .epochs = 5},
//                        .decoding = {.sample = model.input, .preprocessing = model.preprocessing},
//                        .engine = engine});
//   auto inputs = add_upload(p, feed.add(p), feed.upload());

#include <millrace/io/watch.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/add_decoding.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

class TrainingState;

/// What every feed is made from.
struct FeedOptions {
  SampleSet training, validation{};  ///< `validation` may be empty
  ReaderOptions order{};             ///< `start` and `finished` are those of FeedStart
  DecodingOptions decoding{};        ///< the shape is that of the model's input
  std::shared_ptr<const nn::Engine> engine{};
  std::int64_t target_width = 0;  ///< of the batches, see HostBatch
  bool learns_input = false;      ///< see DeviceBatch
  int slots = 3;                  ///< batches under way in host memory
  // Of what is loaded before a run.
  Bytes budget{};   ///< 0: no limit
  int threads = 0;  ///< 0: the cores one may use
  StallWatch stall{};
};

/// Where a run begins or resumes; by default with the first batch.
struct FeedStart {
  ReaderPosition position{};
  std::uint64_t step = 0;                               ///< training steps before
  std::shared_ptr<const std::atomic<bool>> finished{};  ///< no further batch is needed; or null

  /// Where the state is now.
  [[nodiscard]] static FeedStart of(const TrainingState& state);
};

/// Thread safety: none; what it adds to a pipeline runs on the pipeline's threads.
class Feed {
 public:
  virtual ~Feed() = default;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// "files", "replay", "resident", "stream", "features"
  [[nodiscard]] virtual const char* name() const noexcept = 0;
  /// What load() loads, in words, "the batches to replay"; empty if a run needs nothing
  /// loaded.
  [[nodiscard]] virtual std::string to_load() const { return {}; }
  /// Before the first run, and again to reload. `watch` gets the number of samples so far. The
  /// report lists what was left out. Throws Stopped, or what a pipeline throws.
  virtual Report load(const Watch& watch);
  /// Whether load() is of what the executor's weights make of the samples: then it is called once
  /// they are there, after keep_in().
  [[nodiscard]] virtual bool needs_weights() const { return false; }
  /// The directory of the run; empty if it has none.
  virtual void keep_in(const std::filesystem::path&) {}
  /// Gives back the memory of what was loaded.
  virtual void unload() {}
  /// What is loaded, in words; empty if nothing is.
  [[nodiscard]] virtual std::string describe() const { return {}; }
  /// A line for reports of runs that were not fed from files; else empty.
  [[nodiscard]] virtual std::string remark() const { return {}; }

  /// Adds the stages that bring the run's batches to host memory, with their charges; batches of a
  /// phase come in order. Requires: load(), before the pipeline runs.
  virtual Stream<Lease<HostBatch>> add(Pipeline& pipeline, const FeedStart& from = {}) const = 0;
  /// For add_upload() of these batches.
  [[nodiscard]] virtual UploadOptions upload() const;
  /// The most training steps in one batch.
  [[nodiscard]] virtual std::uint32_t steps_together() const { return 1; }
  /// Every how many steps results are to be asked for, where that means to wait for a device: so
  /// rarely that it does not show.
  [[nodiscard]] virtual std::int64_t steps_between_results() const { return 50; }
  /// The device memory that it takes if batches have this many samples.
  [[nodiscard]] virtual std::vector<Budget::Charge> device_memory(std::int64_t batch) const;
  /// What else helps where that is too much, ", or ..."; empty if nothing does.
  [[nodiscard]] virtual std::string memory_advice() const { return {}; }

  [[nodiscard]] const FeedOptions& options() const noexcept { return *options_; }
  /// The order of samples that have an index. Throws as DirectoryReader does.
  [[nodiscard]] DirectoryReader reader(const FeedStart& from = {}) const;
  /// Updates of the whole run, of which `order.accumulate` makes one of several batches; if
  /// unknown, the most that there can be.
  [[nodiscard]] virtual std::uint64_t updates() const;
  /// The sizes of batches that are not full, for programs to be compiled ahead, as far as they are
  /// known.
  [[nodiscard]] virtual std::vector<std::int64_t> short_batches() const;
  /// As many samples as the run takes together.
  [[nodiscard]] DeviceBatchFactory device_batches() const { return upload().batches; }

 protected:
  explicit Feed(FeedOptions options);

  /// Batches of this many samples, and of one step, on the device; the host's of one step, with
  /// pixels.
  [[nodiscard]] DeviceBatchFactory batches_on_device(std::int64_t batch) const;
  [[nodiscard]] HostBatchFactory batches_on_host() const;
  /// From files into the slots of the pool, with what the data sets and the reader take.
  Stream<Lease<HostBatch>> add_reading(Pipeline& pipeline, const Pool<HostBatch>& host,
                                       DirectoryReader reader,
                                       const DecodingOptions& decoding) const;
  /// Of the same samples in another order.
  [[nodiscard]] DirectoryReader reader_in(ReaderOptions order, bool validates = true) const;
  /// A pipeline to load with.
  [[nodiscard]] Pipeline loading_pipeline() const;

 private:
  std::shared_ptr<const FeedOptions> options_;  // shared by readers, for their sets of samples
};

/// Reads and decodes each batch when it is needed.
class FileFeed final : public Feed {
 public:
  explicit FileFeed(FeedOptions options) : Feed(std::move(options)) {}
  [[nodiscard]] const char* name() const noexcept override { return "files"; }
  Stream<Lease<HostBatch>> add(Pipeline& pipeline, const FeedStart& from = {}) const override;
};

}  // namespace millrace

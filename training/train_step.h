#pragma once
// The step: forward, backward and update on training batches, forward alone on validation batches.

#include <millrace/nn/metrics.h>
#include <millrace/nn/target_metrics.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/stage.h>
#include <millrace/training/snapshot.h>
#include <millrace/training/training_state.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace millrace {

struct PruneSummary;  // prune_summary.h

/// What a step passes to later stages.
struct StepRecord {
  BatchTag tag{};
  nn::StepResult result{};   ///< of the last `steps` steps, this batch's included
  nn::StepResult totals{};   ///< of the phase, as far as results have come
  std::int64_t steps = 1;    ///< those with samples in `result`; 0: it comes later
  std::int64_t samples = 0;  ///< of this batch
  std::int64_t holes = 0;    ///< samples of this batch that were left out
  double learning_rate = 0;
  std::uint64_t global_step = 0;  ///< training steps so far
  bool has_accuracy = true;       ///< as EpochRecord::has_accuracy
  /// With the last batch of an epoch: all that is known of it. Stages of the engine's thread may
  /// add to it; observers only read.
  std::shared_ptr<EpochRecord> epoch{};
  std::shared_ptr<const PruneSummary> pruning{};  ///< when masks were made, and with each epoch
  Lease<Snapshot> snapshot{};                     ///< if TakeSnapshot took one
};

/// A node for the engine's thread (On::engine): DeviceBatch -> StepRecord. A batch without samples
/// takes no step, one with several steps (BatchTag::rows) takes them in one go. Once the state is
/// finished, batches go no further.
///
/// Validation is of the averages of the weights, where the executor keeps some: within it they are
/// what the executor holds, and TrainingState::weights() exchanges them back for callers.
///
/// Where the executor accumulates gradients, a step is an update: the batches of a group, so many
/// from the first of an epoch on or what is left at its end, become one record, that of the last
/// one with the samples of all; those before it go no further. A batch of several steps is then
/// refused: throws Error.
///
/// Throws Error for a batch whose source did not stamp its tag, or not as it must be: without its
/// ends no epoch would be reported; and at the end of a phase that has seen no sample, or of a
/// validation in which no target is known, since nothing was learnt or measured.
///
/// Stages that decide or change weights come directly after it, also on the engine's thread.
class TrainStep {
 public:
  /// The learning rate of a step, counted from 1, of a training whose optimizer has the rate `base`
  /// (OptimizerOptions::learning_rate), before TrainingState::rate_factor. None: `base`.
  using Schedule = std::function<double(double base, std::uint64_t step)>;
  explicit TrainStep(std::shared_ptr<TrainingState> state, Schedule schedule = {});
  /// The same, with a state of its own. The executor is allocated and initialised by the caller, as
  /// by nn::make_executor(), and outlives the run.
  explicit TrainStep(std::shared_ptr<nn::Executor> executor, Schedule schedule = {});
  /// Each run works on a copy made when it starts: there the clock of its first epoch starts too.
  TrainStep(const TrainStep& other);
  TrainStep& operator=(const TrainStep&) = delete;
  ~TrainStep();
  static constexpr bool is_serial = true;

  /// From that epoch on (the first is 1) steps are those of TrainingState::unfrozen, and the
  /// learning rate is multiplied: for layers that are frozen at first.
  TrainStep& unfreeze_at(std::uint32_t epoch, double rate_factor);
  /// What is measured in validation besides loss and accuracy, by the names of
  /// nn::metrics_options, of a model with targets nn::check_target_metric: EpochRecord::extra gets
  /// "val_" and the name, once for each. `samples` is
  /// how many an epoch validates, `batch` the most at a time. Throws UsageError for a name that is
  /// none.
  TrainStep& metrics(std::vector<std::string> names, std::int64_t samples, std::int64_t batch);
  /// How often results are asked for, since on a device that means to wait for it: after that many
  /// steps, 1 unless this is called; at the end of each phase in any case, and, unless 0, after
  /// each training step that is a multiple of `snapshot_steps`.
  TrainStep& report_every(std::int64_t steps, std::uint64_t snapshot_steps = 0);
  /// Memory that metrics take.
  [[nodiscard]] Bytes scratch() const;

  std::optional<StepRecord> operator()(const Lease<DeviceBatch>& batch);

 private:
  using Clock = std::chrono::steady_clock;
  struct Unfreeze {
    std::uint32_t epoch;
    double rate_factor;
  };
  /// The figures of a validation and the outputs of a batch.
  struct Figures {
    std::vector<std::string> names;
    std::variant<nn::ClassificationMetrics, nn::TargetMetrics> metrics;
    std::int64_t samples, batch;
    std::vector<float> outputs;  // [batch][outputs of the model]
  };
  void check_stamps(const DeviceBatch& batch);
  /// Of a phase with an unknown number of steps: it must have ended before another one begins.
  void check_open_phase(const BatchTag& tag);
  void begin_phase(const BatchTag& tag);
  /// Puts the epoch into the record of its last batch.
  void end_epoch(StepRecord& record);
  /// `steps`: in the batch.
  void train(const DeviceBatch& batch, std::int64_t steps);
  /// Takes a batch into its group; whether the group has ended. Then it has had its update, if it
  /// has samples, and `record` counts all of them.
  bool accumulate(const DeviceBatch& batch, StepRecord& record);
  /// Counts a step, and returns its learning rate.
  double begin_step();
  /// The result where it had to be waited for, else nothing.
  nn::StepResult evaluate(const DeviceBatch& batch);
  /// The same of the averages of the weights, which stay where the weights are until the end of the
  /// phase, of training, or of the run.
  nn::StepResult validate(const DeviceBatch& batch);
  void leave_validation();
  [[nodiscard]] bool is_result_due(const BatchTag& tag) const;
  [[nodiscard]] double elapsed() const;

  std::shared_ptr<TrainingState> state_;
  Schedule schedule_;
  std::optional<Unfreeze> unfreeze_;
  std::optional<Figures> figures_;
  std::int64_t report_every_ = 1;
  std::uint64_t snapshot_steps_ = 0;
  std::int64_t unreported_ = 0;     // steps with samples
  std::vector<double> rates_;       // of the steps of a batch
  bool validates_ = false;          // averages may be where the weights are
  bool awaits_validation_ = false;  // training has ended, the epoch has not
  std::optional<BatchTag> open_;    // of the batch before, in a phase with unknown steps
  struct {
    std::int64_t samples = 0, holes = 0;
  } group_;  // under way
  Clock::time_point epoch_begin_ = Clock::now();
};

/// Waits for the steps under way, adds their results to the epoch and returns them. Requires: the
/// engine's thread, or no run.
nn::StepResult collect_results(TrainingState& state);

}  // namespace millrace

#pragma once
// The step: forward, backward and update on training batches, forward alone on validation batches.

#include <millrace/nn/metrics.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/nodes/snapshot.h>
#include <millrace/nodes/training_state.h>
#include <millrace/pipeline/stage.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

struct PruneSummary;  // prune_summary.h

/// What a step tells the stages behind it.
struct StepRecord {
  BatchTag tag{};
  nn::StepResult result{};  ///< of this batch
  nn::StepResult totals{};  ///< of the phase so far, this batch included
  std::int64_t holes = 0;   ///< samples of this batch that were left out
  double learning_rate = 0;
  std::uint64_t global_step = 0;  ///< training steps so far
  /// With the last batch of an epoch: all that is known of it. Stages of the engine's thread may
  /// add to it; observers only read.
  std::shared_ptr<EpochRecord> epoch{};
  std::shared_ptr<const PruneSummary> pruning{};  ///< when masks were made, and with each epoch
  Lease<Snapshot> snapshot{};                     ///< if TakeSnapshot took one
};

/// A node for the engine's thread (On::engine): DeviceBatch -> StepRecord. A batch without samples
/// takes no step. Once the state is finished, batches go no further.
///
/// Stages that decide or change weights come right behind it, on the engine's thread too.
class TrainStep {
 public:
  /// The learning rate of a step, counted from 1, before TrainingState::rate_factor.
  using Schedule = std::function<double(std::uint64_t step)>;
  TrainStep(std::shared_ptr<TrainingState> state, Schedule learning_rate);
  /// The same, with a state of its own. The executor is allocated and initialised by the caller and
  /// outlives the run.
  TrainStep(std::shared_ptr<nn::Executor> executor, Schedule learning_rate);
  /// Each run works on a copy made when it starts: there the clock of its first epoch starts too.
  TrainStep(const TrainStep& other);
  TrainStep& operator=(const TrainStep&) = delete;

  /// From that epoch on (counted from 0) steps are those of TrainingState::unfrozen, and the
  /// learning rate is multiplied: for layers that are frozen at first.
  TrainStep& unfreeze_at(std::uint32_t epoch, double rate_factor);
  /// What is measured in validation besides loss and accuracy, by the names of
  /// nn::metrics_options: EpochRecord::extra gets "val_" and the name. `samples` is how many an
  /// epoch validates, `batch` the most at a time. Throws UsageError for a name that is none.
  TrainStep& metrics(std::vector<std::string> names, std::int64_t samples, std::int64_t batch);
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
    nn::ClassificationMetrics metrics;
    std::int64_t samples, batch;
    std::vector<float> outputs;  // [batch][outputs of the model]
  };
  void begin_phase(const BatchTag& tag);
  nn::StepResult train(const DeviceBatch& batch);
  nn::StepResult evaluate(const DeviceBatch& batch);
  [[nodiscard]] double elapsed() const;

  std::shared_ptr<TrainingState> state_;
  Schedule learning_rate_;
  std::optional<Unfreeze> unfreeze_;
  std::optional<Figures> figures_;
  Clock::time_point epoch_begin_ = Clock::now();
};

}  // namespace millrace

#pragma once
// The state that the stages of the engine's thread share: the model in training and its progress.
// A checkpoint is a copy of it.

#include <millrace/io/checkpoint.h>
#include <millrace/nn/average.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/training/epoch_record.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// What checkpoints call Arena::average.
inline constexpr const char* kAverage = "average";

/// Thread safety: belongs to the engine's thread while a pipeline runs, except is_finished().
class TrainingState {
 public:
  /// The executor is allocated and initialised by the caller, before the first step. `arenas` are
  /// those that a checkpoint holds: the parameters, and what the optimizer, pruning and
  /// averaging keep, in the order in which they are written back.
  explicit TrainingState(std::shared_ptr<nn::Executor> executor,
                         std::vector<nn::Arena> arenas = {nn::Arena::parameters});

  std::shared_ptr<nn::Executor> executor;
  /// Of the same model with fewer frozen layers; takes over with unfreeze(). Not allocated before.
  std::shared_ptr<nn::Executor> unfrozen;
  std::uint64_t step = 0;             ///< training steps taken: what schedules and logs count
  std::uint64_t update = 0;           ///< steps of the optimizer since it was new: Adam's t
  double rate_factor = 1;             ///< on the schedule's learning rate, of callbacks
  double rate = 0;                    ///< of the last step
  ReaderPosition next;                ///< where the batches that are not trained yet begin
  EpochRecord epoch;                  ///< the epoch under way
  std::int64_t validation_holes = 0;  ///< in the validation under way
  std::vector<EpochRecord> history;   ///< whole epochs
  bool tells_accuracy = true;         ///< what EpochRecord::has_accuracy becomes; not saved
  double device_s = 0;  ///< what steps took by a device's own clock since this was made; not saved

  /// No further step: batches that come are dropped, the source ends. `reason` is for the user.
  void finish(std::string reason);
  [[nodiscard]] bool is_finished() const noexcept { return finished_->load(); }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// is_finished() for others that may outlive this: ReaderOptions::finished.
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> finished() const { return finished_; }

  /// The parameters in an order that does not depend on what is frozen: that of nn::parameters for
  /// the model with all layers trainable.
  [[nodiscard]] std::vector<float> weights() const;
  void set_weights(std::span<const float> weights);
  /// weights() of the model that is evaluated and saved: averages, where the executor keeps some.
  [[nodiscard]] std::vector<float> evaluated_weights() const;

  /// From now on the executor evaluates the averages of the weights, where it keeps some. That ends
  /// with leave_averages(), which whatever needs the weights calls: every other function here that
  /// reads, writes or saves them.
  void enter_averages();
  void leave_averages() const noexcept { averages_in_place_.reset(); }

  /// Forgets the batches of a group that will get no update, because training stops.
  void drop_group();

  /// Continues with `unfrozen`, if there is one: it gets the weights and a new optimizer, as after
  /// Keras's compile(). The old executor's memory is released before the new one's is taken.
  void unfreeze();
  [[nodiscard]] bool is_unfrozen() const noexcept { return is_unfrozen_; }

  /// Everything above but the executor itself and device_s; its arenas as arrays of their names,
  /// and the state of its loss scale, if it has one. Arrays that are there already and large enough
  /// are written in place. A validation in progress is not kept: it learns nothing, and is
  /// repeated.
  void save(Checkpoint& checkpoint) const;
  /// Requires: the executor is allocated and of the model that was saved, with `unfrozen` if it had
  /// one, and with a loss scale if it had one. Masks that the run did not have keep all weights.
  /// Throws Error if a value is missing or does not fit, and has changed nothing then.
  void restore(const Checkpoint& checkpoint);
  /// Of the arrays that save() writes.
  [[nodiscard]] Bytes array_bytes() const;

 private:
  [[nodiscard]] std::size_t elements(nn::Arena arena) const;
  /// weights() of the executor as it is.
  [[nodiscard]] std::vector<float> weights_in_place() const;
  /// In the order of weights(); empty if none are kept.
  [[nodiscard]] std::vector<float> masks() const;
  void set_masks(std::span<const float> masks);
  /// Likewise.
  [[nodiscard]] std::vector<float> averages() const;
  void set_averages(std::span<const float> averages);

  std::vector<nn::Arena> arenas_;
  bool is_unfrozen_ = false;
  std::shared_ptr<std::atomic<bool>> finished_ = std::make_shared<std::atomic<bool>>(false);
  std::string reason_;
  mutable std::optional<nn::AverageScope> averages_in_place_;  // goes before the executor does
};

/// Parameters of a model in the order of nn::parameters, brought into the order of the same model
/// with other layers frozen. Parameters are found by name; those that `from` lacks become 0.
[[nodiscard]] std::vector<float> reordered(std::span<const float> values, const nn::Model& from,
                                           const nn::Model& to);

/// The model with all layers trainable.
[[nodiscard]] nn::Model thawed(nn::Model model);

/// The arenas that hold the state of a training run.
[[nodiscard]] std::vector<nn::Arena> arenas_of(const nn::CompileOptions& options);

}  // namespace millrace

#pragma once
// Deciding between steps: callbacks that may stop training, change the learning rate or the
// weights. They run on the engine's thread, so training waits for them; code that only watches
// (files, progress) belongs into the Logger instead, which runs during the next step.

#include <millrace/training/snapshot.h>
#include <millrace/training/train_step.h>

#include <functional>
#include <memory>
#include <vector>

namespace millrace {

/// Keras's callbacks, less what is known only there. An exception ends the run.
///
///   struct Stop : Callback {
///     void on_epoch(EpochRecord& epoch, TrainingState& state) override {
///       if (epoch.value("val_accuracy") > 0.99) state.finish("accurate enough");
///     }
///   };
class Callback : public Saved {
 public:
  /// After each batch, those of validation too: there the executor may hold averages in the place
  /// of the weights, and the state's functions give either.
  virtual void on_step(const StepRecord&, TrainingState&) {}
  /// After the last batch of an epoch. May add to the record.
  virtual void on_epoch(EpochRecord&, TrainingState&) {}
  /// After the last batch of all, or the one with which training was finished.
  virtual void on_end(TrainingState&) {}
  void save(Checkpoint&) const override {}
  void restore(const Checkpoint&) override {}
};

using Callbacks = std::vector<std::shared_ptr<Callback>>;

/// A function as a callback.
[[nodiscard]] std::shared_ptr<Callback> after_each_step(
    std::function<void(const StepRecord&, TrainingState&)> function);
[[nodiscard]] std::shared_ptr<Callback> after_each_epoch(
    std::function<void(EpochRecord&, TrainingState&)> function);

/// Ends the run with an Error that names epoch and step when a training loss is not a number or is
/// infinite.
[[nodiscard]] std::shared_ptr<Callback> stop_on_nan();

/// A node for the engine's thread, after the step and its PruneStep: StepRecord -> the same.
/// Calls the callbacks in their order and keeps the history of epochs.
class Decide {
 public:
  Decide(std::shared_ptr<TrainingState> state, Callbacks callbacks);
  static constexpr bool is_serial = true;
  StepRecord operator()(const StepRecord& record);

 private:
  std::shared_ptr<TrainingState> state_;
  Callbacks callbacks_;
};

}  // namespace millrace

#pragma once
// The end of a training pipeline: turns the records of steps into the records of epochs and hands
// both to whoever watches. It decides nothing.

#include <millrace/nodes/train_step.h>

#include <chrono>
#include <functional>
#include <optional>

namespace millrace {

/// An epoch, once its last batch has come.
struct EpochRecord {
  std::uint32_t epoch = 0;  ///< from 0
  nn::StepResult training;
  std::optional<nn::StepResult> validation;
  std::int64_t holes = 0;    ///< samples left out
  double learning_rate = 0;  ///< of the last step
  double training_s = 0;     ///< from the first record to the last of training; the
                             ///< first step itself is not in it
  double seconds = 0;        ///< of the epoch
  std::uint64_t global_step = 0;
  Lease<Snapshot> snapshot;  ///< the weights, if the step took any
};

/// A sink for a thread of its own (On::blocking): watchers may write files.
class Logger {
 public:
  struct Watchers {
    std::function<void(const StepRecord&)> on_step{};
    std::function<void(const EpochRecord&)> on_epoch{};
  };
  explicit Logger(Watchers watchers);
  void operator()(const StepRecord& record);

 private:
  using Clock = std::chrono::steady_clock;
  Watchers watchers_;
  EpochRecord epoch_;
  std::optional<Clock::time_point> begin_;  // of the epoch: when its first record came
};

}  // namespace millrace

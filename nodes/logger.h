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
  double training_s = 0;     ///< from the start to the last training record
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
  /// Each run works on a copy made when it starts: there its clock starts too.
  Logger(const Logger& other) : watchers_(other.watchers_) {}
  Logger& operator=(const Logger&) = delete;
  void operator()(const StepRecord& record);

 private:
  using Clock = std::chrono::steady_clock;
  Watchers watchers_;
  EpochRecord epoch_;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace millrace

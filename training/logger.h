#pragma once
// The end of a training pipeline: passes the records of steps and epochs to watchers, during
// the next step. It decides nothing.

#include <millrace/training/train_step.h>

#include <functional>

namespace millrace {

/// A sink for a separate thread (On::blocking): watchers may write files.
class Logger {
 public:
  struct Watchers {
    std::function<void(const StepRecord&)> on_step{};
    std::function<void(const EpochRecord&)> on_epoch{};
    /// With each snapshot, after the two others.
    std::function<void(const Snapshot&, const StepRecord&)> on_snapshot{};
  };
  explicit Logger(Watchers watchers);
  static constexpr bool is_serial = true;
  void operator()(const StepRecord& record) const;

 private:
  Watchers watchers_;
};

/// Watchers that call first these and then those.
[[nodiscard]] Logger::Watchers both(Logger::Watchers first, Logger::Watchers second);

}  // namespace millrace

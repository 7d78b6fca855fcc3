#include <millrace/nodes/logger.h>

#include <utility>

namespace millrace {

Logger::Logger(Watchers watchers) : watchers_(std::move(watchers)) {}

void Logger::operator()(const StepRecord& record) {
  const auto elapsed = [this] {
    return std::chrono::duration<double>(Clock::now() - begin_).count();
  };
  epoch_.epoch = record.tag.epoch;
  epoch_.holes += record.holes;
  epoch_.global_step = record.global_step;
  if (record.tag.phase == Phase::training) {
    epoch_.training = record.totals;
    epoch_.learning_rate = record.learning_rate;
    epoch_.training_s = elapsed();
  } else {
    epoch_.validation = record.totals;
  }
  if (watchers_.on_step) watchers_.on_step(record);
  if (!record.tag.ends_epoch) return;
  epoch_.seconds = elapsed();
  epoch_.snapshot = record.snapshot;
  begin_ = Clock::now();  // what the watcher takes belongs to the next epoch: steps go on meanwhile
  if (watchers_.on_epoch) watchers_.on_epoch(epoch_);
  epoch_ = {};
}

}  // namespace millrace

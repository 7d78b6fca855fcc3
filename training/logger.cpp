#include <millrace/training/logger.h>

#include <utility>

namespace millrace {

Logger::Logger(Watchers watchers) : watchers_(std::move(watchers)) {}

void Logger::operator()(const StepRecord& record) const {
  if (watchers_.on_step) watchers_.on_step(record);
  if (record.epoch != nullptr && watchers_.on_epoch) watchers_.on_epoch(*record.epoch);
  if (record.snapshot && watchers_.on_snapshot) watchers_.on_snapshot(*record.snapshot, record);
}

}  // namespace millrace

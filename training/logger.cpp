#include <millrace/training/logger.h>

#include <utility>

namespace millrace {
namespace {

template <class... Arguments>
std::function<void(Arguments...)> one_behind_the_other(std::function<void(Arguments...)> first,
                                                       std::function<void(Arguments...)> second) {
  if (!first || !second) return first ? first : second;
  return [first = std::move(first), second = std::move(second)](Arguments... arguments) {
    first(arguments...);
    second(arguments...);
  };
}

}  // namespace

Logger::Logger(Watchers watchers) : watchers_(std::move(watchers)) {}

void Logger::operator()(const StepRecord& record) const {
  if (watchers_.on_step) watchers_.on_step(record);
  if (record.epoch != nullptr && watchers_.on_epoch) watchers_.on_epoch(*record.epoch);
  if (record.snapshot && watchers_.on_snapshot) watchers_.on_snapshot(*record.snapshot, record);
}

Logger::Watchers both(Logger::Watchers first, Logger::Watchers second) {
  return {one_behind_the_other(std::move(first.on_step), std::move(second.on_step)),
          one_behind_the_other(std::move(first.on_epoch), std::move(second.on_epoch)),
          one_behind_the_other(std::move(first.on_snapshot), std::move(second.on_snapshot))};
}

}  // namespace millrace

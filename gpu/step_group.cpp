#include <millrace/gpu/step_group.h>

#include <algorithm>
#include <utility>

namespace millrace::gpu {
namespace {

// Full groups and those at the end of an epoch, over two slots, and some more.
constexpr std::size_t kMostGroups = 32;

constexpr std::size_t kMostMarks = 128;

}  // namespace

void StepGroups::run(Device& device, Stream& stream, const StepGroup& group, bool graphs,
                     const std::function<void()>& queue) {
  if (!graphs) return queue();
  const auto known = std::ranges::find(known_, group, &Known::group);
  if (known == known_.end()) {
    if (known_.size() < kMostGroups) known_.push_back({.group = group});
    return queue();
  }
  if (known->graph == nullptr) known->graph = captured(device, stream, queue);
  device.launch(stream, *known->graph);
}

void StepClock::begin(Stream& stream) {
  if (steps_ >= kMostMarks) return;
  if (steps_ == marks_.size()) {
    marks_.push_back({device_.make_event(true), device_.make_event(true)});
  }
  device_.record(*marks_[steps_].begin, stream);
}

void StepClock::end(Stream& stream) {
  if (steps_ < kMostMarks) device_.record(*marks_[steps_].end, stream);
  ++steps_;
}

double StepClock::seconds() {
  const std::size_t measured = std::min(steps_, kMostMarks);
  double sum = 0;
  for (std::size_t i = 0; i < measured; ++i) {
    sum += device_.seconds_between(*marks_[i].begin, *marks_[i].end);
  }
  const std::size_t steps = std::exchange(steps_, 0);
  return measured == 0 ? 0 : sum * static_cast<double>(steps) / static_cast<double>(measured);
}

}  // namespace millrace::gpu

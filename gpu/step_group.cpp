#include <millrace/gpu/step_group.h>

#include <millrace/gpu/capture.h>

#include <algorithm>

namespace millrace::gpu {
namespace {

// Full groups and those at the end of an epoch, over two slots, and some more.
constexpr std::size_t kMostGroups = 32;

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

}  // namespace millrace::gpu

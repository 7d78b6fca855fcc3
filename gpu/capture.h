#pragma once
// Work of a stream as a graph.

#include <millrace/gpu/device.h>

#include <functional>
#include <memory>

namespace millrace::gpu {

/// What `queue` queues in the stream is captured instead of done. Where it throws, the capture is
/// ended, or else the stream would take no work any more, and the error goes on.
[[nodiscard]] std::unique_ptr<StepGraph> captured(Device& device, Stream& stream,
                                                  const std::function<void()>& queue);

}  // namespace millrace::gpu

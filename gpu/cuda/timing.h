#pragma once
// Which of several ways to do the same is the fastest, by trying them.

#include <millrace/gpu/cuda/cuda_objects.h>

#include <cstddef>
#include <functional>
#include <span>

namespace millrace::gpu::detail {

/// Seconds that `run`, which queues its work in the stream, takes on the device: the least of a few
/// measurements, each over several runs. Waits for the device.
[[nodiscard]] double least_seconds(cudaStream_t stream, const std::function<void()>& run);

/// The first of those that take at most 5 % longer than the fastest one: what is measured wavers by
/// as much, and the choice should be the same in the next run. Requires: not empty.
[[nodiscard]] std::size_t choose(std::span<const double> seconds);

}  // namespace millrace::gpu::detail

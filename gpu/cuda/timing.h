#pragma once
// Which of several ways to do the same is the fastest, by trying them.

#include <millrace/gpu/cuda/cuda_objects.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

namespace millrace::gpu::detail {

/// Seconds that `run`, which queues its work in the stream, takes on the device: the least of a few
/// measurements, each over several runs, after one run that loads code. Waits for the device.
[[nodiscard]] double least_seconds(cudaStream_t stream, const std::function<void()>& run,
                                   int measurements, int runs);

/// Memory to try them on, whose bytes are all `byte`, from the default stream. Throws
/// OutOfDeviceMemory.
[[nodiscard]] Buffer scratch(std::size_t bytes, int byte);
/// All the memory of a measurement; none where the device has not so much.
template <class Memory, class... Arguments>
[[nodiscard]] std::optional<Memory> if_it_fits(const Arguments&... arguments) {
  try {
    return Memory(arguments...);
  } catch (const OutOfDeviceMemory&) {
    return std::nullopt;
  }
}

/// The first of those that take at most 5 % longer than the fastest one: what is measured wavers by
/// as much, and the choice should be the same in the next run. Requires: not empty.
[[nodiscard]] std::size_t choose(std::span<const double> seconds);

}  // namespace millrace::gpu::detail

#pragma once
// Options of the engine on the processor.

#include <millrace/core/bytes.h>
#include <millrace/cpu/timings.h>

#include <cstdint>
#include <functional>

namespace millrace::cpu {

/// What a convolution computes with. Winograd's algorithm, for 3x3 kernels of stride 1 between 32
/// channels or more, multiplies less and needs more scratch. oneDNN's is as far from float64 as the
/// direct one, our own (kernels/winograd.h) ten times as far.
enum class Algorithms {
  direct,
  winograd,  ///< wherever there is a kernel, our own before oneDNN's
  /// Of all that there are, by timing them in compile(), where CompileOptions::steps are many. For a
  /// few steps by the times that are kept; where one is not, all are direct.
  fastest,
};

/// How a step is divided among threads.
enum class Sharing {
  /// All threads work on each operation, one operation after the other: OpenMP's. They wait for
  /// each other after every operation, which costs milliseconds on a busy machine.
  together,
  /// Each thread takes a slice of the batch through all operations: oneTBB's. A slice that nobody
  /// has begun is anybody's. Gradients are kept once a slice and added up by the update. Large
  /// dense
  /// layers are trained by outputs, some of them for all samples, with gradients once. Models that
  /// train batch normalisation, or whose slices would need more than 256 MiB of further gradients,
  /// are computed together.
  slices
};

struct EngineOptions {
  int threads = 0;  ///< in a step; 0: available_threads()
  Sharing sharing = Sharing::slices;
  Algorithms algorithms = Algorithms::direct;
  TimingFiles timings{};  ///< with Algorithms::fastest: where times are kept between runs
  /// The most that memory() may come to because of fast algorithms; 0: no matter. Where they would
  /// need more, those with less scratch are taken.
  Bytes memory_limit{};
  /// Called in compile() before each operation that is timed, with how many were timed so far.
  std::function<void(std::uint64_t)> on_timing{};
};

}  // namespace millrace::cpu

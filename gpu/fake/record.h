#pragma once
// What the recording device remembers of each thing that it was asked for, and the faults that it
// can be told to have.

#include <millrace/gpu/device.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::gpu {

/// One thing that was asked for.
struct Recorded {
  enum class Kind {
    launch,
    convolution,
    matmul,
    copy,
    fill,
    graph,  // work in a stream
    record,
    wait,  // order in a stream
    synchronize,
    allocate,
    release,
    begin_capture,
    end_capture,
    plan,  // the host
    host   // what note_host() said
  };
  Kind kind{};
  std::string name{};     ///< of the kernel, "conv forward ...", "to_device", what was allocated
  int stream = -1;        ///< number of the stream, in the order of their making; -1: the host
  int event = -1;         ///< of record, wait, synchronize: number of the event
  int generation = 0;     ///< how often the event has been recorded, this time included
  bool captured = false;  ///< kept for a graph instead of done; the graph's launch does it
  std::uint64_t bytes = 0;
  std::uint64_t thread = 0;  ///< of the host, numbered in the order in which they came
  /// Device and pinned memory. That of a graph is what all of its work touches.
  std::vector<Access> accesses{};
};

/// Faults. Each is asked before the work is done, one call at a time.
struct Faults {
  /// The call throws Error; not asked of release and note_host().
  std::function<bool(const Recorded&)> fails{};
  /// Of record: the event is lost, so that synchronize() on it blocks until give_up(), and so is
  /// every later event of the stream and of streams that wait for it.
  std::function<bool(const Recorded&)> never_ends{};
  /// Of wait: the call is left out, as if the engine had forgotten it.
  std::function<bool(const Recorded&)> forgets{};
  Bytes memory{std::uint64_t{8} << 30};  ///< of the device
  bool has_fused_epilogues = true;       ///< false: plan() has only Epilogue::none
  bool has_fused_convolutions = true;    ///< false: plan() has no convolution with bias or ReLU
};

}  // namespace millrace::gpu

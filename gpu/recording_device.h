#pragma once
// A device without a GPU, for tests: it does every piece of work at once with plain loops on the
// host, kernels by the very functions that the GPU runs, and keeps a record of what was asked for
// and in which order. From the record it tells whether the order was safe (violations()) and how
// long it would take with other durations (replay()). It can be told to fail.

#include <millrace/gpu/device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::gpu {

/// One thing that was asked for.
struct Recorded {
  enum class Kind {
    launch, convolution, matmul, copy, fill, graph,  // work in a stream
    record, wait,                                    // order in a stream
    synchronize, allocate, release, begin_capture, end_capture, plan  // the host
  };
  Kind kind{};
  std::string name;     ///< of the kernel, "conv forward ...", "to_device", what was allocated
  int stream = -1;      ///< number of the stream, in the order of their making; -1: the host
  int event = -1;       ///< of record, wait, synchronize: number of the event
  int generation = 0;   ///< how often the event had been recorded
  std::uint64_t bytes = 0;
  std::uint64_t thread = 0;  ///< of the host, numbered in the order in which they came
  std::vector<Access> accesses{};
};

/// Faults. Each is asked before the work is done; what it returns is thrown or done instead.
struct Faults {
  std::function<bool(const Recorded&)> fails{};       ///< the call throws Error
  std::function<bool(const Recorded&)> never_ends{};  ///< of record: synchronize() on it blocks
                                                      ///< until the device is destroyed
  Bytes memory{std::uint64_t{8} << 30};               ///< of the device
  bool has_fused_epilogues = true;                    ///< false: plan() has only Epilogue::none
  bool has_fused_convolutions = true;  ///< false: plan() has no convolution with bias or ReLU
};

class RecordingDevice : public Device {
 public:
  [[nodiscard]] static std::shared_ptr<RecordingDevice> make(Faults faults = {});

  /// Starts the record anew.
  virtual void clear() = 0;
  [[nodiscard]] virtual std::vector<Recorded> record() const = 0;
  /// What was not safe, a line each: two accesses of one byte, at least one of them writing, that
  /// no stream order and no event puts in order; host memory that changed while a copy read it;
  /// work on memory that is not allocated; waiting, allocating or planning between
  /// begin_step_check() and end_step_check(); reads of device memory that nothing wrote.
  [[nodiscard]] virtual std::vector<std::string> violations() const = 0;
  /// Between these, what stops the host or takes memory is a violation.
  virtual void forbid_host_stops(bool forbidden) = 0;
  /// The seconds that the record would take if each piece of work took what `duration` says, each
  /// stream in order and events obeyed. Work that was queued after a synchronize() of the same host
  /// thread begins no earlier than that returned.
  [[nodiscard]] virtual double replay(
      const std::function<double(const Recorded&)>& duration) const = 0;
};

}  // namespace millrace::gpu

#pragma once
// A device without a GPU, for tests: it does every piece of work at once with plain loops on the
// host, kernels by the very functions that the GPU runs, and records all work
// in its order. From the record it finds whether the order was safe (violations()) and how
// long it would take with other durations (replay()). It can be made to fail.

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

/// Device memory is filled with 0xFF at first, which is not a number in any type, and workspaces
/// are overwritten with it. A copy to pinned memory arrives when the host learns of its end by
/// synchronize(), and is 0xFF until then. Work on memory that is not allocated is not done.
class RecordingDevice : public Device {
 public:
  [[nodiscard]] static std::shared_ptr<RecordingDevice> make(Faults faults = {});

  /// Clears the record and the list of violations.
  virtual void clear() = 0;
  using Device::record;
  [[nodiscard]] virtual std::vector<Recorded> record() const = 0;
  /// Puts a line of the caller's into the record: what the host does besides, such as a stage that
  /// begins, or a file that is read into pinned memory.
  virtual void note_host(std::string name, std::vector<Access> accesses = {}) = 0;
  /// What was not safe, a line each, in the order in which it was met and each line once:
  /// - two accesses of one byte, at least one of them writing, that no stream, no event and no
  ///   synchronize() of the thread that queued the second puts in order;
  /// - pinned memory that changed while a copy read it;
  /// - work on memory that is not allocated, and reads of device memory of which no byte was
  ///   written;
  /// - memory released after a lost event by an engine that has not abandoned the device;
  /// - what forbid_host_stops() forbids.
  [[nodiscard]] virtual std::vector<std::string> violations() const = 0;
  /// While forbidden, these are violations: allocating, releasing, planning, capturing, copies to
  /// the host, copies from memory that is not pinned, and synchronize() by a thread that queues
  /// work meanwhile (one that only waits is there for that).
  virtual void forbid_host_stops(bool forbidden) = 0;
  /// Ends what waits for lost events: their synchronize() throws Error, now and later.
  virtual void give_up() = 0;
  [[nodiscard]] virtual Bytes pinned_memory() const = 0;  ///< allocated now

  /// The seconds that the record would take if each piece of work took what `duration` says, each
  /// stream in order and events obeyed. Work that was queued after a synchronize() of the same host
  /// thread begins no earlier than that returned.
  [[nodiscard]] virtual double replay(
      const std::function<double(const Recorded&)>& duration) const = 0;
};

}  // namespace millrace::gpu

#pragma once
// A device without a GPU, for tests: it does every piece of work at once with plain loops on the
// host, kernels by the very functions that the GPU runs, and keeps a record of what was asked for
// and in which order. From the record it tells whether the order was safe (violations()) and how
// long it would take with other durations (replay()). It can be told to fail.

#include <millrace/gpu/device.h>
#include <millrace/gpu/fake/record.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::gpu {

/// Device memory is filled with 0xFF at first, which is not a number in any type, and workspaces
/// are overwritten with it. A copy to pinned memory arrives when the host learns of its end by
/// synchronize(), and is 0xFF until then. Work on memory that is not allocated is not done.
class RecordingDevice : public Device {
 public:
  [[nodiscard]] static std::shared_ptr<RecordingDevice> make(Faults faults = {});

  /// Starts the record anew, and the list of violations.
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
  /// - memory given back behind a lost event by an engine that has not abandoned the device;
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

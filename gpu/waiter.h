#pragma once
// The thread that waits for the device, so that no worker does: it blocks on an event, then ends
// the promise that belongs to it. An event that never comes is an error after a while, not a hang.

#include <millrace/core/completion.h>
#include <millrace/gpu/device.h>

#include <chrono>
#include <memory>
#include <string>

namespace millrace::gpu {

/// Thread-safe. Promises end in the order in which they were added. The destructor waits for what
/// was added, but not for a device that does not answer.
class Waiter {
 public:
  using Seconds = std::chrono::duration<double>;
  /// `patience`: how long the oldest event may take until it counts as lost; all promises then end
  /// with an Error that names it, and so do those that are added later.
  explicit Waiter(std::shared_ptr<Device> device, Seconds patience = Seconds(120));
  ~Waiter();

  /// `end` was recorded. If `begin` is there, both are timed and Outcome::device_s is the time
  /// between them. The events must live until the promise ends. `what`: "copy of batch".
  [[nodiscard]] Completion when_passed(const Event& end, const Event* begin, std::string what);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace millrace::gpu

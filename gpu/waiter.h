#pragma once
// The threads that wait for the device, so that no worker does: one for each line, which blocks on
// an event, then fulfils its promise. An event that never comes is an error after a
// while, not a hang.

#include <millrace/core/completion.h>
#include <millrace/gpu/device.h>

#include <chrono>
#include <memory>
#include <string>

namespace millrace::gpu {

/// Thread-safe. The destructor waits for what was added, but not for a device that does not answer.
class Waiter {
 public:
  using Seconds = std::chrono::duration<double>;
  /// Events of one stream, which pass in order, wait in one line: after an event of
  /// another stream they would wait too long.
  enum class Line { copies, casts, steps };

  /// `patience`: how long the first event of a line may take until it counts as lost, and the
  /// device with it. All promises then end with an Error that names it, and so do those that are
  /// added later; the device is abandoned.
  explicit Waiter(std::shared_ptr<Device> device, Seconds patience = Seconds(120));
  ~Waiter();

  /// `end` was recorded. If `begin` is there, both are timed and Outcome::device_s is the time
  /// between them. The events must live until the promise ends. `what`: "copy of batch". Promises
  /// of a line end in the order in which they were added.
  [[nodiscard]] Completion when_passed(const Event& end, const Event* begin, std::string what,
                                       Line line = Line::copies);
  /// Blocks until it has passed. Throws what went wrong before it, or an Error where it is lost.
  void wait(const Event& end, std::string what, Line line = Line::steps);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace millrace::gpu

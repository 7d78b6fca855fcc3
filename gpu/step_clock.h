#pragma once
// How long steps take by the device's own clock: an event before each and one behind it, which are
// read when somebody has waited for the steps anyway.

#include <millrace/gpu/device.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace millrace::gpu {

/// Not thread-safe.
class StepClock {
 public:
  explicit StepClock(Device& device) : device_(device) {}

  /// Around what is queued in between. Events are made as they are needed; of many steps between two
  /// seconds() the first ones are measured.
  void begin(Stream& stream);
  void end(Stream& stream);
  /// What the steps since the last call took; those that were not measured count as the others.
  /// Requires: all of them have ended.
  [[nodiscard]] double seconds();

 private:
  struct Mark {
    std::unique_ptr<Event> begin, end;
  };
  Device& device_;
  std::vector<Mark> marks_;
  std::size_t steps_ = 0;  // since the last call of seconds()
};

}  // namespace millrace::gpu

#pragma once
// Steps of an executor together.
//
// Several training steps as one launch: the steps of a group follow each other in one
// graph, and the numbers of each are on the device (keep_steps()), so that the graph can be
// launched again with others.

#include <millrace/gpu/device.h>
#include <millrace/gpu/program.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace millrace::gpu {

/// Of one group.
inline constexpr std::int64_t kMostSteps = 64;

/// What distinguishes one graph from another.
struct StepGroup {
  InputMemory first;                   ///< of the first step; the others follow it
  std::int64_t rows = 0, samples = 0;  ///< of a step, and of all together
  friend bool operator==(const StepGroup&, const StepGroup&) = default;
};

/// Not thread-safe. Holds on to memory and plans only as Program does: clear() before they go.
class StepGroups {
 public:
  /// Does what `queue` queues in the stream. A group that comes for the first time is queued as it
  /// is, since that loads what libraries load late; when it comes again it is captured, and is one
  /// launch from then on. A few groups at most are kept as graphs, so that sizes which hardly ever
  /// come again (an endless stream has them) do not fill the device.
  void run(Device& device, Stream& stream, const StepGroup& group, bool graphs,
           const std::function<void()>& queue);
  void clear() { known_.clear(); }

 private:
  struct Known {
    StepGroup group;
    std::unique_ptr<StepGraph> graph{};  // from the second time on
  };
  std::vector<Known> known_;
};

/// How long steps take by the device's own clock: an event before and after each, which are
/// read once something else has waited for the steps. Not thread-safe.
class StepClock {
 public:
  explicit StepClock(Device& device) : device_(device) {}

  /// Around what is queued in between. Events are made as they are needed; of many steps between
  /// two seconds() the first ones are measured.
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

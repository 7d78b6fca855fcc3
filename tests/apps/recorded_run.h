#pragma once
// What a run of the training pipeline depended on, read from the record of the device, and how long
// the same run would take with other durations.

#include <millrace/gpu/fake/recording_device.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

/// Seconds that a batch takes.
struct Durations {
  double reading = 0;  ///< by all threads together
  double copying = 0, casting = 0, computing = 0;
};

/// A call of a stage's body: what its thread added to the record from `begin` to `end`.
struct StageCall {
  std::string stage{};
  std::size_t begin = 0, end = 0;
  std::vector<std::size_t> entries{};
};
/// In the order of their beginnings.
[[nodiscard]] std::vector<StageCall> stage_calls(const std::vector<gpu::Recorded>& record);

/// A run of training batches, all of which arrived. Of each batch it is known which calls of stages
/// it went through, which slots it lay in and which synchronize() let it go on.
class RecordedRun {
 public:
  using Call = StageCall;
  /// The host learnt of an event.
  struct Known {
    std::size_t at = 0;        ///< place in the record
    std::uint64_t thread = 0;  ///< of the host, that waits for one event behind the other
    std::pair<int, int> event{};
  };
  struct Batch {
    std::vector<Call> reads{};  ///< calls that wrote into its host slot
    Call copy{}, cast{}, step{}, left{};
    std::vector<Call> behind_step{};  ///< of the engine's thread: prune, callbacks, snapshot
    Known copied{}, ready{};
    const void* host_slot = nullptr;
    const void* device_slot = nullptr;
    int before_on_host = -1, before_on_device = -1;  ///< batches that had the slots before
  };

  /// Throws Error where the record makes no sense.
  explicit RecordedRun(std::vector<gpu::Recorded> record);

  [[nodiscard]] const std::vector<Batch>& batches() const { return batches_; }
  [[nodiscard]] const std::vector<gpu::Recorded>& record() const { return record_; }
  [[nodiscard]] std::size_t host_slots() const;
  [[nodiscard]] std::size_t device_slots() const;

  /// Whether an event that the call recorded was waited for before the call ended.
  [[nodiscard]] bool waits(const Call& call, const gpu::Recorded& mark) const;
  /// Where the run did not keep what play() takes for a dependency, a line each.
  [[nodiscard]] std::vector<std::string> broken() const;

  /// The time of the run on a virtual clock. Each batch waits for its slots and for what the host
  /// has to learn, as in the record; streams are in the order in which they are given work on that
  /// clock; a thread that waits for events learns of them one after the other. `readers` threads
  /// read.
  [[nodiscard]] double play(const Durations& durations, int readers) const;

 private:
  void find_batches(const std::vector<Call>& calls);
  [[nodiscard]] Known known_after(const Call& call) const;

  std::vector<gpu::Recorded> record_;
  std::vector<Batch> batches_;
};

}  // namespace millrace::test

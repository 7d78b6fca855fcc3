#pragma once
// Finds accesses of the same memory that no event orders. The recording device does all work in the
// order in which it is queued, so results are right even where a wait is missing; on a GPU they
// would depend on timing. Hence vector clocks: every stream numbers its work, and a clock holds,
// for each stream, up to which number work is known to have ended. Clocks pass along streams, from
// the record of an event to those who wait for it, and from a host thread that synchronised to all
// work that it queues later. For each range of bytes the last write and the reads since are kept;
// the next access must know the write, and a write also the reads. Older accesses need not be kept:
// whoever knows the write knows what the write had to know.

#include <millrace/gpu/fake/recording_device.h>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::gpu::recording {

/// Two accesses without an order.
struct Conflict {
  struct Side {
    std::string name{};
    int stream = 0;
    bool writes = false;
  };
  Side earlier{}, later{};
  const void* at = nullptr;  ///< the first byte that both touch
};

/// Thread safety: none.
class OrderCheck {
 public:
  /// A piece of work as it is queued: its number in the stream, and what it conflicts with.
  std::uint64_t work(const Recorded& work, std::vector<Conflict>& conflicts);
  void record(const Recorded& record);
  void wait(const Recorded& wait);
  void synchronize(const Recorded& synchronize);
  /// The thread has waited for everything there is.
  void synchronize_all(std::uint64_t thread);
  /// Whether the thread knows that a piece of work has ended.
  [[nodiscard]] bool knows(std::uint64_t thread, int stream, std::uint64_t number) const;

  /// The memory is no longer what it was.
  void forget(const void* begin, std::size_t bytes);
  void forget_all() { segments_.clear(); }

 private:
  using Clock = std::vector<std::uint64_t>;  // by stream
  struct Entry {
    int stream = -1;  // -1: none
    std::uint64_t number = 0;
    int name = 0;
  };
  struct Segment {
    std::uintptr_t end = 0;
    Entry write{};
    // Since the write. The last one of each stream suffices: a stream's work is in order.
    std::vector<Entry> reads{};
  };
  using Segments = std::map<std::uintptr_t, Segment>;

  static std::uint64_t& at(Clock& clock, int stream);
  static void learn(Clock& clock, const Clock& from);
  static bool knows(const Clock& clock, const Entry& entry);
  Clock& clock_of_stream(const Recorded& recorded);
  void split(std::uintptr_t at);
  void meet(const Entry& earlier, bool earlier_writes, const Entry& later, bool later_writes,
            std::uintptr_t at, std::vector<Conflict>& conflicts);
  void write(const Entry& entry, std::uintptr_t begin, std::uintptr_t end,
             std::vector<Conflict>& conflicts);
  void read(const Entry& entry, std::uintptr_t begin, std::uintptr_t end,
            std::vector<Conflict>& conflicts);

  std::unordered_map<int, Clock> streams_, events_;
  std::unordered_map<std::uint64_t, Clock> threads_;
  Segments segments_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, int> numbers_of_names_;
};

}  // namespace millrace::gpu::recording

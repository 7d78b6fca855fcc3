#pragma once
// Whether work on the same memory is in order. Every stream has a clock, the number of its pieces
// of work; to know a piece of work is to have seen its stream's clock at least as high. Knowledge
// passes along streams, from a record of an event to those who wait for it, and from a thread of
// the host that synchronized to all that it queues later. For each run of bytes it is remembered
// who wrote it last and who has read it since; whoever touches it next has to know them.

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
    int stream = -1;  // -1: nobody
    std::uint64_t number = 0;
    int name = 0;
  };
  struct Segment {
    std::uintptr_t end = 0;
    Entry write{};
    std::vector<Entry> reads{};  // since, the last one of each stream
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

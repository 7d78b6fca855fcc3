#pragma once
// The record of what worked when, in memory of fixed size, written as Chrome's trace event JSON,
// which ui.perfetto.dev and chrome://tracing open.

#include <millrace/core/bytes.h>
#include <millrace/pipeline/detail/counters.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace millrace::detail {

/// Thread-safe until write(). Events that do not fit are counted and lost: the first ones are kept.
class Trace {
 public:
  static constexpr std::size_t kEvents = std::size_t{1} << 18;
  [[nodiscard]] static Bytes bytes() noexcept { return {kEvents * sizeof(Event)}; }

  explicit Trace(bool enabled);
  void record(int stage, std::uint64_t sequence, Clock::time_point begin,
              Clock::time_point end) noexcept;
  [[nodiscard]] std::uint64_t lost() const noexcept;

  struct Stage {
    std::string name;
    std::string thread{};  // what its thread is called; empty: nothing
  };
  /// One complete event ("ph":"X") an item and stage, times in microseconds since `origin`. Has
  /// its name once it is whole. Throws Error naming the file.
  void write(const std::filesystem::path& path, const std::string& process,
             const std::vector<Stage>& stages, Clock::time_point origin) const;

 private:
  struct Event {
    Clock::time_point begin, end;
    std::uint64_t sequence;
    std::thread::id thread;
    int stage;
  };
  std::vector<Event> events_;
  std::atomic<std::size_t> used_{0};
};

}  // namespace millrace::detail

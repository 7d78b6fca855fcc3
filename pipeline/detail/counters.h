#pragma once
// What the runtime counts about one stage. Written by many threads, read after the run.

#include <millrace/pipeline/report.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace::detail {

using Clock = std::chrono::steady_clock;

/// Atomics are relaxed by default: they are statistics, and the reader joins the run first.
class StageCounters {
 public:
  /// An item has come to the stage (it may still wait for its turn).
  void arrive(Clock::time_point now) noexcept;
  /// An item has left the stage.
  void leave(Clock::time_point now) noexcept;
  /// A call of the body has returned.
  void worked(Clock::duration time) noexcept;
  void skipped() noexcept { skipped_.fetch_add(1, std::memory_order_relaxed); }
  void retried() noexcept { retried_.fetch_add(1, std::memory_order_relaxed); }
  void blocked(Clock::duration time) noexcept;
  /// An item of the stage is under way elsewhere, then no more; `device_s` is what a device says
  /// that it took.
  void begin_elsewhere() noexcept { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void end_elsewhere(double device_s) noexcept;
  /// Some have not ended yet: without a call of this nothing was in flight.
  void note_in_flight() noexcept;
  /// The run starts: the stage is idle from now on.
  void start(Clock::time_point now) noexcept { idle_since_ = now.time_since_epoch().count(); }

  void fill(StageReport& report) const;
  /// While it runs. Items that have come and have not left, and those of them that are under way
  /// elsewhere; and a number that changes when anything has moved.
  [[nodiscard]] std::int64_t pending() const noexcept { return pending_.load(); }
  [[nodiscard]] std::int64_t in_flight() const noexcept { return in_flight_.load(); }
  [[nodiscard]] std::uint64_t movement() const noexcept;

 private:
  // Eight buckets an octave of nanoseconds: a quantile is within 2^(1/16), 4.4 %.
  static constexpr int kPerOctave = 8;
  static constexpr int kBuckets = 48 * kPerOctave;
  [[nodiscard]] double quantile_ms(double q) const;

  std::atomic<std::int64_t> pending_{0};
  std::atomic<std::int64_t> peak_{0};
  std::atomic<std::int64_t> in_flight_{0}, peak_in_flight_{0};
  std::atomic<std::int64_t> device_ns_{0};
  std::atomic<Clock::rep> idle_since_{0};
  std::atomic<Clock::rep> starved_{0}, busy_{0}, blocked_{0}, longest_{0};
  std::atomic<std::uint64_t> items_{0}, skipped_{0}, retried_{0};
  std::array<std::atomic<std::uint64_t>, kBuckets> histogram_{};
};

}  // namespace millrace::detail

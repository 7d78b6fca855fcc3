#include <millrace/pipeline/detail/counters.h>

#include <algorithm>
#include <cmath>

namespace millrace::detail {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

template <class T>
void raise_to(std::atomic<T>& peak, T value) noexcept {
  T seen = peak.load(kRelaxed);
  while (seen < value && !peak.compare_exchange_weak(seen, value, kRelaxed)) {
  }
}

double seconds(Clock::rep ticks) {
  return std::chrono::duration<double>(Clock::duration(ticks)).count();
}

}  // namespace

void StageCounters::arrive(Clock::time_point now) noexcept {
  const std::int64_t before = pending_.fetch_add(1, std::memory_order_acquire);
  raise_to(peak_, before + 1);
  if (before != 0) return;
  const Clock::rep idle = now.time_since_epoch().count() - idle_since_.load(kRelaxed);
  if (idle > 0) starved_.fetch_add(idle, kRelaxed);
}

void StageCounters::leave(Clock::time_point now) noexcept {
  // Always, since whether this is the last item is known only afterwards.
  idle_since_.store(now.time_since_epoch().count(), kRelaxed);
  pending_.fetch_sub(1, std::memory_order_release);  // pairs with arrive()
}

void StageCounters::worked(Clock::duration time) noexcept {
  items_.fetch_add(1, kRelaxed);
  busy_.fetch_add(time.count(), kRelaxed);
  raise_to(longest_, time.count());
  const double ns = static_cast<double>(std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time).count(), 1));
  const int bucket = static_cast<int>(std::log2(ns) * kPerOctave);
  histogram_[static_cast<std::size_t>(std::min(bucket, kBuckets - 1))].fetch_add(1, kRelaxed);
}

void StageCounters::blocked(Clock::duration time) noexcept {
  blocked_.fetch_add(time.count(), kRelaxed);
}

void StageCounters::end_elsewhere(double device_s) noexcept {
  in_flight_.fetch_sub(1, kRelaxed);
  device_ns_.fetch_add(std::llround(device_s * 1e9), kRelaxed);
}

void StageCounters::note_in_flight() noexcept {
  raise_to(peak_in_flight_, in_flight_.load(kRelaxed));
}

double StageCounters::quantile_ms(double q) const {
  const double wanted = q * static_cast<double>(items_.load(kRelaxed));
  double seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += static_cast<double>(histogram_[static_cast<std::size_t>(i)].load(kRelaxed));
    if (seen > 0 && seen >= wanted) return std::exp2((i + 0.5) / kPerOctave) * 1e-6;
  }
  return 0;
}

std::uint64_t StageCounters::movement() const noexcept {
  // Items leave in the same measure as they come, hence unequal weights.
  return 7919 * (items_.load(kRelaxed) + retried_.load(kRelaxed)) +
         104'729 * static_cast<std::uint64_t>(pending_.load(kRelaxed)) +
         static_cast<std::uint64_t>(in_flight_.load(kRelaxed));
}

void StageCounters::fill(StageReport& report) const {
  report.items = items_.load(kRelaxed);
  report.retried = retried_.load(kRelaxed);
  report.skipped = skipped_.load(kRelaxed);
  report.busy_s = seconds(busy_.load(kRelaxed));
  report.starved_s = seconds(starved_.load(kRelaxed));
  report.blocked_s = seconds(blocked_.load(kRelaxed));
  report.max_ms = seconds(longest_.load(kRelaxed)) * 1e3;
  report.p50_ms = std::min(quantile_ms(0.5), report.max_ms);
  report.p99_ms = std::min(quantile_ms(0.99), report.max_ms);
  report.peak_in_flight = static_cast<std::uint64_t>(peak_in_flight_.load(kRelaxed));
  report.device_s = static_cast<double>(device_ns_.load(kRelaxed)) * 1e-9;
  report.peak_queue = static_cast<std::uint64_t>(peak_.load(kRelaxed));
}

}  // namespace millrace::detail

#include <millrace/core/buffer.h>
#include <millrace/core/error.h>
#include <millrace/nn/graph.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>

namespace millrace::nn {
namespace {

constexpr std::uint64_t kAlignment = 64;  // a cache line, and a vector register of AVX-512

std::int64_t aligned(std::int64_t bytes) {
  return static_cast<std::int64_t>(round_up(static_cast<std::uint64_t>(bytes), kAlignment));
}

bool needs_memory(const Interval& interval) {
  return interval.bytes > 0 && interval.last >= interval.first;
}

bool overlap(const Interval& a, const Interval& b) {
  return a.first <= b.last && b.first <= a.last;
}

struct Placed {
  Interval interval;
  std::int64_t begin;
  std::int64_t end;
};

/// The start of the tightest gap between `neighbours` that holds `bytes`, or the end of the last of
/// them. Requires: neighbours are sorted by begin.
std::int64_t best_fit(const std::vector<Placed>& neighbours, std::int64_t bytes) {
  std::int64_t best = -1;
  std::int64_t best_gap = std::numeric_limits<std::int64_t>::max();
  std::int64_t free_from = 0;
  for (const Placed& neighbour : neighbours) {
    const std::int64_t gap = neighbour.begin - free_from;
    if (gap >= bytes && gap < best_gap) {
      best = free_from;
      best_gap = gap;
    }
    free_from = std::max(free_from, neighbour.end);
  }
  return best >= 0 ? best : free_from;
}

/// The most bytes that live at a time, of whole cache lines.
std::int64_t most_alive(const std::vector<Interval>& intervals) {
  std::map<int, std::int64_t> changes;  // by step
  for (const Interval& interval : intervals) {
    if (!needs_memory(interval)) continue;
    changes[interval.first] += aligned(interval.bytes);
    changes[interval.last + 1] -= aligned(interval.bytes);
  }
  std::int64_t alive = 0, most = 0;
  for (const auto& [step, change] : changes) most = std::max(most, alive += change);
  return most;
}

/// Each in the tightest gap that those before it have left.
ArenaPlan place_in_order(const std::vector<Interval>& intervals,
                         const std::vector<std::size_t>& order) {
  ArenaPlan plan{.offsets = std::vector<std::int64_t>(intervals.size(), 0)};
  std::vector<Placed> placed;  // by begin
  std::vector<Placed> neighbours;
  for (const std::size_t i : order) {
    const Interval& interval = intervals[i];
    if (!needs_memory(interval)) continue;
    const std::int64_t bytes = aligned(interval.bytes);
    neighbours.clear();
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(neighbours),
                 [&](const Placed& other) { return overlap(other.interval, interval); });
    const std::int64_t offset = best_fit(neighbours, bytes);
    const Placed here{.interval = interval, .begin = offset, .end = offset + bytes};
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), here,
                         [](const Placed& a, const Placed& b) { return a.begin < b.begin; }),
        here);
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, here.end);
  }
  return plan;
}

/// Plans in this order, then again with what had to be put on top of all the rest placed first, as
/// long as something is lost. Keeps the best plan; the first has a place for each interval.
void improve(const std::vector<Interval>& intervals, std::vector<std::size_t> order,
             std::int64_t least, ArenaPlan& best) {
  constexpr int kTries = 80;
  for (int i = 0; i < kTries; ++i) {
    const bool is_first = best.offsets.empty();
    if (!is_first && best.bytes <= least) return;
    ArenaPlan plan = place_in_order(intervals, order);
    const auto top = std::ranges::find_if(order, [&](std::size_t id) {
      return needs_memory(intervals[id]) &&
             plan.offsets[id] + aligned(intervals[id].bytes) == plan.bytes;
    });
    if (is_first || plan.bytes < best.bytes) best = std::move(plan);
    if (top == order.end()) return;  // nothing needs memory
    // Halfway every other time: placed first, it may push something else to the top, and so on
    // round.
    const auto to = i % 2 == 0 ? order.begin() : order.begin() + (top - order.begin()) / 2;
    std::rotate(to, top, top + 1);
  }
}

}  // namespace

ArenaPlan plan_arena(const std::vector<Interval>& intervals) {
  const std::int64_t least = most_alive(intervals);  // no plan takes less
  ArenaPlan best;
  const auto try_by = [&](auto rank) {
    std::vector<std::size_t> order(intervals.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return rank(intervals[a]) > rank(intervals[b]);
    });
    improve(intervals, std::move(order), least, best);
  };
  try_by([](const Interval& interval) { return interval.bytes; });
  const auto length = [](const Interval& interval) {
    return std::int64_t{interval.last} - interval.first + 1;
  };
  try_by([&](const Interval& interval) { return interval.bytes * length(interval); });
  try_by(length);
  try_by([](const Interval& interval) { return interval.last; });
  best.alive = least;
  return best;
}

}  // namespace millrace::nn

#include <millrace/core/buffer.h>
#include <millrace/core/error.h>
#include <millrace/nn/graph.h>

#include <algorithm>
#include <limits>
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

}  // namespace

std::vector<Interval> lifetimes(const Graph& graph) {
  std::vector<Interval> result;
  for (const Value& value : graph.values) {
    const bool has_arena =
        value.role == ValueRole::parameter || value.role == ValueRole::parameter_gradient;
    const bool is_input = value.role == ValueRole::input || value.role == ValueRole::labels;
    result.push_back({.bytes = has_arena ? 0 : value.shape.elements() * 4,
                      .first = is_input || value.role == ValueRole::parameter ? -1 : 0,
                      .last = -2});
  }
  for (int step = 0; step < static_cast<int>(graph.ops.size()); ++step) {
    const Op& op = graph.ops[static_cast<std::size_t>(step)];
    for (const Argument& made : op.outputs) {
      Interval& interval = result[static_cast<std::size_t>(made.value)];
      interval.first = step;
      interval.last = step;
    }
    for (const Argument& read : op.inputs) {
      result[static_cast<std::size_t>(read.value)].last = step;
    }
  }
  return result;
}

ArenaPlan plan_arena(const std::vector<Interval>& intervals) {
  std::vector<std::size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return intervals[a].bytes > intervals[b].bytes;
  });

  ArenaPlan plan{.offsets = std::vector<std::int64_t>(intervals.size(), 0)};
  std::vector<Placed> placed;  // by begin
  for (const std::size_t i : order) {
    const Interval& interval = intervals[i];
    if (!needs_memory(interval)) continue;
    const std::int64_t bytes = aligned(interval.bytes);
    std::vector<Placed> neighbours;
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

}  // namespace millrace::nn

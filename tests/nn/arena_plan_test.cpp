#include <millrace/core/random.h>
#include <millrace/nn/graph.h>

#include "catch.h"

#include <algorithm>

namespace {

using namespace millrace;
using namespace millrace::nn;

/// What no plan can undercut: the most bytes alive at one step.
std::int64_t lower_bound(const std::vector<Interval>& intervals) {
  std::int64_t most = 0;
  for (const Interval& at : intervals) {  // the maximum is reached where something begins
    std::int64_t alive = 0;
    for (const Interval& each : intervals) {
      if (each.first <= at.first && at.first <= each.last) alive += each.bytes;
    }
    most = std::max(most, alive);
  }
  return most;
}

std::vector<Interval> random_intervals(std::uint64_t position) {
  Random random(11, 0, position, Purpose::user);
  std::vector<Interval> result(1 + random.below(40));
  for (Interval& each : result) {
    each.bytes = static_cast<std::int64_t>(random.below(5000));
    each.first = static_cast<int>(random.below(30)) - 1;
    each.last = each.first + static_cast<int>(random.below(12)) - 1;  // some are never alive
  }
  return result;
}

TEST_CASE("A plan never gives one byte to two values that live at a time") {
  for (std::uint64_t position = 0; position < 500; ++position) {
    const std::vector<Interval> intervals = random_intervals(position);
    const ArenaPlan plan = plan_arena(intervals);
    REQUIRE(plan.offsets.size() == intervals.size());
    for (std::size_t a = 0; a < intervals.size(); ++a) {
      const Interval& one = intervals[a];
      if (one.bytes == 0 || one.last < one.first) {
        REQUIRE(plan.offsets[a] == 0);
        continue;
      }
      REQUIRE(plan.offsets[a] % 64 == 0);
      REQUIRE(plan.offsets[a] >= 0);
      REQUIRE(plan.offsets[a] + one.bytes <= plan.bytes);
      for (std::size_t b = 0; b < a; ++b) {
        const Interval& other = intervals[b];
        if (other.bytes == 0 || other.last < other.first) continue;
        const bool at_a_time = one.first <= other.last && other.first <= one.last;
        const bool apart = plan.offsets[a] + one.bytes <= plan.offsets[b] ||
                           plan.offsets[b] + other.bytes <= plan.offsets[a];
        INFO("intervals " << a << " and " << b << " of position " << position);
        REQUIRE((apart || !at_a_time));
      }
    }
  }
}

TEST_CASE("A plan knows the most bytes that live at a time, each interval of whole cache lines") {
  for (std::uint64_t position = 0; position < 500; ++position) {
    INFO("position " << position);
    std::vector<Interval> intervals = random_intervals(position);
    const ArenaPlan plan = plan_arena(intervals);
    for (Interval& interval : intervals) interval.bytes = (interval.bytes + 63) / 64 * 64;
    REQUIRE(plan.alive == lower_bound(intervals));
    REQUIRE(plan.bytes >= plan.alive);
  }
}

}  // namespace

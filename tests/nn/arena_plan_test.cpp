#include <millrace/core/random.h>
#include <millrace/nn/graph.h>
#include <millrace/nn/zoo/zoo.h>

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

TEST_CASE("Plans of the zoo's models stay within 1.3 of the lower bound") {
  for (const char* spec : {"mlp:500,100", "cnn", "cnn:16,32:64", "cnn:64,128,256:1024,512"}) {
    const Model model = zoo_model(spec, {150, 150, 3}, 5);
    for (const Mode mode : {Mode::training, Mode::evaluation}) {
      const auto intervals = lifetimes(build_graph(model, 32, mode, default_loss(model)));
      const double ratio = static_cast<double>(plan_arena(intervals).bytes) /
                           static_cast<double>(lower_bound(intervals));
      INFO(spec << (mode == Mode::training ? " training" : " evaluation") << ": " << ratio);
      CHECK(ratio >= 1.0);
      CHECK(ratio <= 1.3);
    }
  }
}

TEST_CASE("Outside training two activations share the memory of all") {
  ModelBuilder builder("deep", {64});
  for (int layer = 0; layer < 10; ++layer) builder.dense(64).relu();
  const Model model = builder.dense(64).build();
  const Graph graph = build_graph(model, 4, Mode::evaluation, Loss::softmax_cross_entropy);
  const std::int64_t activation = 4 * 64 * 4;
  const std::int64_t labels = activation;  // alive to the end
  CHECK(plan_arena(lifetimes(graph)).bytes == 2 * activation + labels);
}

TEST_CASE("Lifetimes span from the operation that makes a value to the last that uses it") {
  const Model model = ModelBuilder("m", {6}).dense(3).relu().dense(2).build();
  const Graph graph = build_graph(model, 4, Mode::training, Loss::softmax_cross_entropy);
  const auto intervals = lifetimes(graph);
  const auto of = [&](const std::string& name) {
    const auto found = std::find_if(graph.values.begin(), graph.values.end(),
                                    [&](const Value& value) { return value.name == name; });
    REQUIRE(found != graph.values.end());
    return intervals.at(static_cast<std::size_t>(found - graph.values.begin()));
  };
  // 0 dense1, 1 relu1, 2 dense2, 3 loss, 4 dW2, 5 d relu1, 6 d dense1, 7 dW1
  CHECK(of("input").first == -1);
  CHECK(of("input").last == 7);
  CHECK(of("input").bytes == 4 * 6 * 4);
  CHECK(of("dense1").first == 0);
  CHECK(of("dense1").last == 1);
  CHECK(of("relu1").last == 6);
  CHECK(of("d dense2").first == 3);
  CHECK(of("d dense2").last == 5);
  CHECK(of("dense1.weight").bytes == 0);
  CHECK(of("d dense1.weight").bytes == 0);
}

}  // namespace

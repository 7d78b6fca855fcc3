// What holds for any graph of layers, for a thousand of them.

#include <millrace/nn/graph.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/check_gradients.h>
#include <millrace/nn/zoo/zoo.h>

#include "catch.h"
#include "engines/networks.h"
#include "engines/random_models.h"

#include <algorithm>

namespace {

using namespace millrace;
using namespace millrace::nn;

constexpr std::uint64_t kGraphs = 1000;

TEST_CASE("Gradients of random graphs are those of finite differences") {
  double worst = 0;
  int drawn_again = 0;
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    const Model model = test::random_model(seed);
    INFO("seed " << seed << '\n' << to_json(model));
    const GradientCheck result =
        check_gradients(model, {.seed = seed, .samples = 2, .directions = 1});
    INFO(result.where);
    REQUIRE(result.largest_error < 1e-6);
    REQUIRE(result.checks > 0);
    worst = std::max(worst, result.largest_error);
    drawn_again += result.drawn_again;
  }
  WARN("largest error " << worst << "; drawn again " << drawn_again << " times");
}

TEST_CASE("Random graphs come back from JSON") {
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    const Model model = test::random_model(seed);
    REQUIRE(model_from_json(to_json(model)) == model);
  }
}

/// The most bytes that are alive at once, with what alignment adds.
std::int64_t most_alive(const std::vector<Interval>& intervals, std::size_t steps) {
  std::vector<std::int64_t> alive(steps + 1, 0);
  for (const Interval& interval : intervals) {
    const std::int64_t bytes = (interval.bytes + 63) / 64 * 64;
    for (int step = std::max(interval.first, 0); step <= interval.last; ++step) {
      alive[static_cast<std::size_t>(step)] += bytes;
    }
  }
  return *std::ranges::max_element(alive);
}

TEST_CASE(
    "Memory of networks that people use is at most 5 percent more than what is alive at once") {
  std::vector<Model> models{test::resnet18(), test::mobilenet_v2(), test::squeezenet()};
  models.push_back(zoo_model("cnn", {150, 150, 3}, 10));
  models.push_back(zoo_model("mlp:500", {28, 28, 1}, 10));
  models.push_back(zoo_model("vgg16", {150, 150, 3}, 10));
  for (const Model& model : models) {
    for (const Mode mode : {Mode::training, Mode::evaluation}) {
      const Graph graph = build_graph(model, 32, mode, default_loss(model));
      const std::vector<Interval> intervals = lifetimes(graph);
      const auto planned = static_cast<double>(plan_arena(intervals).bytes);
      const auto needed = static_cast<double>(most_alive(intervals, graph.ops.size()));
      INFO(model.name << ", " << planned << " bytes for " << needed);
      CHECK(planned <= 1.05 * needed);
    }
  }
}

TEST_CASE("Memory of random graphs is at most 15 percent more than what is alive at once") {
  double worst = 0;
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    for (const Mode mode : {Mode::training, Mode::evaluation}) {
      const Graph graph =
          build_graph(test::random_model(seed), 8, mode, Loss::softmax_cross_entropy);
      const std::vector<Interval> intervals = lifetimes(graph);
      const auto planned = static_cast<double>(plan_arena(intervals).bytes);
      const auto needed = static_cast<double>(most_alive(intervals, graph.ops.size()));
      INFO("seed " << seed << ", " << planned << " bytes for " << needed);
      CHECK(planned <= 1.15 * needed);
      worst = std::max(worst, planned / needed);
    }
  }
  WARN("at worst " << worst << " times what is alive at once");
}

}  // namespace

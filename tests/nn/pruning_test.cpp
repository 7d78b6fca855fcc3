#include <millrace/nn/pruning.h>

#include <millrace/core/error.h>

#include "catch.h"
#include "recorded.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

PruneSchedule schedule_of(const nlohmann::json& record) {
  PruneSchedule schedule{.kind = prune_kind(record["kind"].get<std::string>()),
                         .final_sparsity = record["final"],
                         .begin_step = record["begin"],
                         .frequency = record["frequency"],
                         .keras_compat = true};
  if (record["end"].get<int>() >= 0) schedule.end_step = record["end"].get<std::uint64_t>();
  if (schedule.kind == PruneKind::polynomial) {
    schedule.initial_sparsity = record["initial"];
    schedule.power = record["power"];
  }
  return schedule;
}

float number(const nlohmann::json& value) {
  if (!value.is_string()) return value.get<float>();
  const std::string text = value;
  if (text == "nan") return std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  return text == "inf" ? infinity : -infinity;
}

std::string digits(const std::vector<float>& mask) {
  std::string text;
  for (const float value : mask) text += value == 1 ? '1' : value == 0 ? '0' : '?';
  return text;
}

TEST_CASE("With keras_compat schedules are tfmot's at every step") {
  const nlohmann::json records = test::recorded("pruning.json")["schedules"];
  for (const auto& record : records) {
    const PruneSchedule schedule = schedule_of(record["schedule"]);
    validate(schedule);
    INFO(record["schedule"]);
    const std::string prunes = record["prunes"];
    for (std::size_t i = 0; i < prunes.size(); ++i) {
      const std::uint64_t step = record["steps"][i];
      INFO("step " << step);
      CHECK(makes_mask(schedule, step) == (prunes[i] == '1'));
      // Both compute in float32; powers may differ in the last bit.
      CHECK(sparsity_at(schedule, step) == Approx(record["sparsity"][i].get<float>()).margin(1e-6));
    }
  }
}

TEST_CASE("A mask keeps as many of n different weights as tfmot keeps, halves to even") {
  const nlohmann::json records = test::recorded("pruning.json")["counts"];
  for (const auto& record : records) {
    const auto n = record[0].get<std::size_t>();
    INFO(record);
    CHECK(kept_weights(n, record[1]) == record[2].get<std::size_t>());
    std::vector<float> weights(n), mask(n);
    std::iota(weights.begin(), weights.end(), 1.0F);
    CHECK(keep_above_threshold(weights, record[1], mask) == record[3].get<float>());
    CHECK(std::count(mask.begin(), mask.end(), 1.0F) == record[2].get<std::ptrdiff_t>());
  }
}

TEST_CASE("Masks and thresholds are tfmot's, with ties, zeros, infinities and NaN") {
  const nlohmann::json records = test::recorded("pruning.json")["masks"];
  for (const auto& record : records) {
    INFO(record);
    std::vector<float> weights;
    for (const auto& weight : record["weights"]) weights.push_back(number(weight));
    std::vector<float> mask(weights.size(), 1);
    float threshold = 0;
    const PruneSchedule schedule = schedule_of(record["schedule"]);
    const std::uint64_t step = record["step"];
    if (makes_mask(schedule, step)) {
      threshold = keep_above_threshold(weights, sparsity_at(schedule, step), mask);
    }
    CHECK(digits(mask) == record["mask"].get<std::string>());
    const float expected = number(record["threshold"]);
    CHECK((threshold == expected || (std::isnan(threshold) && std::isnan(expected))));
  }
}

TEST_CASE("By default the end of a schedule gets a mask of exactly the final sparsity") {
  const PruneSchedule schedule{.kind = PruneKind::polynomial,
                               .initial_sparsity = 0.5,
                               .final_sparsity = 0.8,
                               .begin_step = 0,
                               .end_step = 844};
  std::vector<std::uint64_t> steps;
  for (std::uint64_t step = 0; step < 1000; ++step) {
    if (makes_mask(schedule, step)) steps.push_back(step);
  }
  CHECK(steps == std::vector<std::uint64_t>{0, 100, 200, 300, 400, 500, 600, 700, 800, 844});
  CHECK(sparsity_at(schedule, 0) == 0.5F);
  CHECK(sparsity_at(schedule, 844) == 0.8F);
  CHECK(kept_weights(20280, sparsity_at(schedule, 844)) == 4056);
}

TEST_CASE("As many weights are pruned as Python's round of the share says") {
  const nlohmann::json records = test::recorded("pruned_weights.json");
  for (const auto& record : records["counts"]) {
    INFO(record);
    CHECK(pruned_weights(record[0].get<std::size_t>(), record[1].get<double>()) ==
          record[2].get<std::size_t>());
  }
}

TEST_CASE("The smallest weights are pruned, of equal ones the first, and zeros before all others") {
  const nlohmann::json records = test::recorded("pruned_weights.json");
  for (const auto& record : records["masks"]) {
    INFO(record);
    std::vector<float> weights;
    for (const auto& weight : record["weights"]) weights.push_back(number(weight));
    std::vector<float> mask(weights.size(), 1);
    const std::size_t count = pruned_weights(weights.size(), record["share"].get<double>());
    const float smallest_kept = prune_smallest(weights, count, mask);
    CHECK(digits(mask) == record["mask"].get<std::string>());
    if (count < weights.size()) CHECK(smallest_kept == number(record["smallest_kept"]));
  }
}

TEST_CASE("A tensor that is pruned whole has a threshold that is a number") {
  const std::vector<float> weights = {-2, 1};
  std::vector<float> mask(2, 1);
  CHECK(prune_smallest(weights, 2, mask) == 2);
  CHECK(mask == std::vector<float>{0, 0});
}

TEST_CASE("The first and the last mask prune exactly the shares that were asked for") {
  const PruneSchedule schedule{.kind = PruneKind::polynomial,
                               .initial_sparsity = 0.5,
                               .final_sparsity = 0.8,
                               .begin_step = 10,
                               .end_step = 50};
  CHECK(pruned_at(schedule, 10, 5) == 2);  // 2.5, to even; tfmot keeps 2 and prunes 3
  CHECK(pruned_at(schedule, 50, 576) == 461);
  CHECK(pruned_at(schedule, 30, 1000) == 1000 - kept_weights(1000, sparsity_at(schedule, 30)));
  // 0.8 in float32 is more than 0.8: of as many weights it would prune two too many.
  CHECK(pruned_at(schedule, 50, 200'000'000) == 160'000'000);
  CHECK(pruned_at({.final_sparsity = 0.5}, 0, 7) == 4);  // 3.5, to even
}

TEST_CASE("The last mask of a run is told for any length of it") {
  for (const bool keras_compat : {false, true}) {
    for (const auto end : {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{30}}) {
      for (const std::uint64_t begin : {0U, 7U, 30U}) {
        const PruneSchedule schedule{
            .begin_step = begin, .end_step = end, .frequency = 8, .keras_compat = keras_compat};
        std::optional<std::uint64_t> last;
        for (std::uint64_t updates = 0; updates < 50; ++updates) {
          const bool comes = updates > 0 || !keras_compat;
          if (comes && makes_mask(schedule, updates)) last = updates;
          INFO("begin " << begin << ", updates " << updates << (keras_compat ? ", tfmot" : ""));
          CHECK(last_mask(schedule, updates) == last);
        }
      }
    }
  }
}

TEST_CASE("Weights that are not numbers are refused by the name of their tensor") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK_NOTHROW(check_prunable("a", std::vector<float>{1, -infinity, 0}));
  CHECK_THROWS_WITH(check_prunable("dense1.weight", std::vector<float>{1, nan, 0, nan}),
                    Contains("dense1.weight cannot be pruned: 2 of its 4 weights are not numbers"));
}

TEST_CASE("A polynomial schedule of one step makes one mask, of the final sparsity") {
  const PruneSchedule schedule{.kind = PruneKind::polynomial,
                               .final_sparsity = 0.75,
                               .begin_step = 7,
                               .end_step = 7,
                               .frequency = 1};
  validate(schedule);
  CHECK_FALSE(makes_mask(schedule, 6));
  CHECK(makes_mask(schedule, 7));
  CHECK_FALSE(makes_mask(schedule, 8));
  CHECK(sparsity_at(schedule, 7) == 0.75F);
}

TEST_CASE("A constant schedule without an end goes on making masks") {
  const PruneSchedule schedule{.final_sparsity = 0.5, .begin_step = 5, .frequency = 10};
  CHECK(makes_mask(schedule, 5));
  CHECK(makes_mask(schedule, 1'000'005));
  CHECK_FALSE(makes_mask(schedule, 1'000'006));
}

TEST_CASE("Schedules that cannot be meant are refused in one line") {
  const auto message = [](PruneSchedule schedule) -> std::string {
    try {
      validate(schedule);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "accepted";
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(message({}) == "accepted");
  CHECK_THAT(message({.final_sparsity = 1.0}), Contains("final sparsity must be in [0, 1), not 1"));
  CHECK_THAT(message({.final_sparsity = -0.1}), Contains("not -0.1"));
  CHECK_THAT(message({.final_sparsity = nan}), Contains("nan"));
  CHECK_THAT(message({.initial_sparsity = 1.5}), Contains("initial sparsity"));
  CHECK_THAT(message({.begin_step = 100, .end_step = 50}),
             Contains("ends at step 50, before it begins at step 100"));
  CHECK_THAT(message({.frequency = 0}), Contains("frequency"));
  CHECK_THAT(message({.kind = PruneKind::polynomial}), Contains("needs an end"));
  CHECK_THAT(message({.power = 0}), Contains("power"));
  CHECK_THROWS_WITH(prune_kind("linear"), Contains("'linear'") && Contains("polynomial"));
}

Model small_net() {
  Model model = ModelBuilder("small", {8, 8, 1})
                    .conv(4)
                    .batch_norm()
                    .relu()
                    .flatten()
                    .dense(6)
                    .relu()
                    .dense(3)
                    .softmax()
                    .build();
  return model;
}

std::vector<std::string> names(const std::vector<Parameter>& parameters) {
  std::vector<std::string> result;
  for (const Parameter& parameter : parameters) result.push_back(parameter.name);
  return result;
}

using Names = std::vector<std::string>;

TEST_CASE("All kernels are pruned, the classifier's too, and nothing else") {
  CHECK(names(pruned_parameters(small_net(), {}, {})) ==
        Names{"conv1.weight", "dense1.weight", "dense2.weight"});
}

TEST_CASE("Patterns choose what is pruned by parameter or by layer") {
  const Model model = small_net();
  CHECK(names(pruned_parameters(model, {"dense*"}, {})) == Names{"dense1.weight", "dense2.weight"});
  CHECK(names(pruned_parameters(model, {}, {"dense2"})) == Names{"conv1.weight", "dense1.weight"});
  CHECK(names(pruned_parameters(model, {"*.weight"}, {"conv?.*"})) ==
        Names{"dense1.weight", "dense2.weight"});
  CHECK(names(pruned_parameters(model, {"conv1", "dense1.weight"}, {})) ==
        Names{"conv1.weight", "dense1.weight"});
}

TEST_CASE("A pattern that matches nothing is refused with the kernels that there are") {
  const Model model = small_net();
  CHECK_THROWS_WITH(pruned_parameters(model, {"dense1", "fc*"}, {}),
                    Contains("'fc*' matches no kernel") && Contains("conv1.weight, dense1.weight"));
  CHECK_THROWS_WITH(pruned_parameters(model, {}, {"*.bias"}), Contains("'*.bias'"));
  CHECK_THROWS_AS(pruned_parameters(model, {}, {"batch_norm1"}), UsageError);
  CHECK_THROWS_WITH(pruned_parameters(model, {"conv1"}, {"*"}), Contains("no kernel is left"));
}

TEST_CASE("Frozen kernels are not pruned") {
  Model model = small_net();
  model.layers.front().trainable = false;
  CHECK(names(pruned_parameters(model, {}, {})) == Names{"dense1.weight", "dense2.weight"});
  CHECK_THROWS_WITH(pruned_parameters(model, {"conv1"}, {}), Contains("'conv1'"));
}

}  // namespace

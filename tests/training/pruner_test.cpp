#include <millrace/training/pruner.h>

#include <millrace/core/error.h>

#include "catch.h"
#include "training/recorded_pruning.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace millrace;
using namespace millrace::test;

namespace {

Values times(Values values, const Values& mask) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= mask[i];
  return values;
}

void check_close(const Values& values, const Values& expected) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO("element " << i);
    CHECK(values[i] == Approx(expected[i]).margin(2e-5));
  }
}

/// Weights that a later mask keeps and this one does not.
int grown(const Values& mask, const Values& later) {
  int count = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) count += mask[i] == 0 && later[i] == 1 ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("With keras_compat training is tfmot's step for step, weights that grow back included") {
  const Recording recording;
  Net net(recording);
  Pruner pruner(net.model, {.schedule = recording.schedule()});
  pruner.begin(*net.executor, 0);
  int grown_back = 0;
  for (std::size_t step = 1; step <= recording.steps(); ++step) {
    INFO("step " << step);
    recording.train(*net.executor, step);
    pruner.after_update(*net.executor, step, recording.ends_epoch(step));
    if (recording.ends_epoch(step)) {
      for (std::size_t i = 0; i < 2; ++i) {
        check_close(net.weights(kKernels[i]), recording.kernel_of_epoch(step, i));
        CHECK(net.mask(kKernels[i]) == recording.mask(step, i));
      }
      if (step == recording.steps()) break;
      pruner.before_epoch(*net.executor, step);
    }
    for (std::size_t i = 0; i < 2; ++i) {  // what the next batch will see
      const Values mask = recording.mask(step + 1, i);
      CHECK(net.mask(kKernels[i]) == mask);
      CHECK(pruner.summary().tensors[i].threshold ==
            Approx(recording.threshold(step + 1, i)).margin(2e-5));
      check_close(net.weights(kKernels[i]), times(recording.kernel(step, i), mask));
      check_close(net.weights(kBiases[i]), recording.bias(step, i));
      grown_back += grown(recording.mask(step, i), mask);
    }
  }
  CHECK(grown_back > 0);  // or the recording would not show it
}

TEST_CASE("By default masks are made at the beginning, at each turn and at the end exactly") {
  const Recording recording;
  Net net(recording);
  Pruner pruner(net.model, {.schedule = {.kind = nn::PruneKind::polynomial,
                                         .initial_sparsity = 0.25,
                                         .final_sparsity = 0.75,
                                         .begin_step = 0,
                                         .end_step = 10,
                                         .frequency = 4}});
  pruner.begin(*net.executor, 0);
  CHECK(zeros(net.weights("dense1.weight")) == 12);  // a quarter of 48, before the first step
  CHECK(zeros(net.weights("dense2.weight")) == 2);
  std::vector<std::size_t> made;
  for (std::size_t step = 1; step <= 14; ++step) {
    INFO("step " << step);
    recording.train(*net.executor, step);
    if (pruner.after_update(*net.executor, step, recording.ends_epoch(step))) made.push_back(step);
    if (recording.ends_epoch(step)) CHECK_FALSE(pruner.before_epoch(*net.executor, step));
    const Values mask = net.mask("dense1.weight");
    const Values weights = net.weights("dense1.weight");
    CHECK(times(weights, mask) == weights);
    CHECK(zeros(weights) == zeros(mask));
    CHECK(pruner.summary().tensors[0].pruned == zeros(mask));
  }
  CHECK(made == std::vector<std::size_t>{4, 8, 10});
  CHECK(zeros(net.weights("dense1.weight")) == 36);  // exactly three quarters
  CHECK(pruner.summary().tensors[0].sparsity() == 0.75);
  CHECK(pruner.summary().sparsity() == 0.75);
}

TEST_CASE("By default a pruned weight grows back when its gradient is large enough") {
  const Recording recording;
  Net net(recording);
  Pruner pruner(net.model, {.schedule = {.final_sparsity = 0.5, .frequency = 2}});
  pruner.begin(*net.executor, 0);
  int grown_back = 0;
  for (std::size_t step = 1; step <= 16; ++step) {
    const Values before = net.mask("dense1.weight");
    recording.train(*net.executor, step);
    const bool is_made = pruner.after_update(*net.executor, step, false);
    const int here = grown(before, net.mask("dense1.weight"));
    CHECK((is_made || here == 0));
    grown_back += here;
  }
  CHECK(grown_back > 0);
}

TEST_CASE("Pruned weights are plain zeros without a sign") {
  const Recording recording;
  Net net(recording);
  Pruner pruner(net.model, {.schedule = {.final_sparsity = 0.75, .frequency = 3}});
  pruner.begin(*net.executor, 0);
  for (std::size_t step = 1; step <= 5; ++step) {
    recording.train(*net.executor, step);
    pruner.after_update(*net.executor, step, false);
    for (const float weight : net.weights("dense1.weight")) {
      CHECK_FALSE((weight == 0 && std::signbit(weight)));
    }
  }
}

TEST_CASE("Of equal weights exactly the share is pruned, the first ones") {
  const Recording recording;
  Net net(recording);
  const Values all(static_cast<std::size_t>(nn::arena_elements(net.parameters)), 0.5F);
  net.executor->write(nn::Arena::parameters, all);
  Pruner pruner(net.model, {.schedule = {.final_sparsity = 0.7}});
  pruner.begin(*net.executor, 0);
  const Values mask = net.mask("dense1.weight");
  CHECK(zeros(mask) == 34);  // 33.6 of 48
  CHECK(std::is_sorted(mask.begin(), mask.end()));
  CHECK(zeros(net.mask("dense2.weight")) == 6);  // 5.6 of 8
}

TEST_CASE("Weights that are not numbers end the run with the name of their tensor") {
  const Recording recording;
  const bool keras_compat = GENERATE(false, true);
  Net net(recording);
  Values all(static_cast<std::size_t>(nn::arena_elements(net.parameters)), 0.5F);
  for (const nn::Parameter& p : net.parameters) {
    if (p.name == "dense2.weight") all[static_cast<std::size_t>(p.offset)] = std::nanf("");
  }
  net.executor->write(nn::Arena::parameters, all);
  Pruner pruner(net.model, {.schedule = {.frequency = 1, .keras_compat = keras_compat}});
  CHECK_THROWS_WITH(pruner.begin(*net.executor, 0),
                    Catch::Contains("dense2.weight cannot be pruned: 1 of its 8 weights"));
}

TEST_CASE("A summary gives sparsity and threshold by name") {
  const PruneSummary summary{
      .step = 3,
      .tensors = {{.name = "a.weight", .elements = 30, .pruned = 15, .threshold = 0.25F},
                  {.name = "b.weight", .elements = 10, .pruned = 1, .threshold = 0.5F}}};
  CHECK(named_values(summary) ==
        std::vector<std::pair<std::string, double>>{{"sparsity", 0.4},
                                                    {"a.weight/sparsity", 0.5},
                                                    {"a.weight/threshold", 0.25},
                                                    {"b.weight/sparsity", 0.1},
                                                    {"b.weight/threshold", 0.5}});
}

#include <millrace/nodes/pruner.h>

#include <millrace/core/error.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "nn/recorded.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace millrace;

namespace {

using Values = std::vector<float>;

/// A net 6-8-1, the samples and, after each step, the weights of a recorded training with tfmot.
class Recording {
 public:
  Recording() : record_(test::recorded("pruning.json")["training"]) {
    const nlohmann::json& s = record_["schedule"];
    schedule_ = {.kind = nn::prune_kind(s["kind"].get<std::string>()),
                 .initial_sparsity = s["initial"],
                 .final_sparsity = s["final"],
                 .begin_step = s["begin"],
                 .end_step = s["end"].get<std::uint64_t>(),
                 .frequency = s["frequency"],
                 .power = s["power"],
                 .keras_compat = true};
    x_ = test::list<float>(record_["x"]);
    labels_ = test::list<std::int32_t>(record_["labels"]);
  }

  [[nodiscard]] const nn::PruneSchedule& schedule() const { return schedule_; }
  [[nodiscard]] std::size_t steps() const { return record_["steps"].size(); }
  [[nodiscard]] std::size_t steps_per_epoch() const {
    return labels_.size() / static_cast<std::size_t>(samples());
  }
  [[nodiscard]] bool ends_epoch(std::size_t step) const { return step % steps_per_epoch() == 0; }

  /// What tfmot keeps of step 1, 2, ...: the kernels before they are masked, the masks in use.
  [[nodiscard]] Values kernel(std::size_t step, std::size_t layer) const {
    return test::list<float>(record_["steps"][step - 1]["kernels"][layer]);
  }
  [[nodiscard]] Values bias(std::size_t step, std::size_t layer) const {
    return test::list<float>(record_["steps"][step - 1]["biases"][layer]);
  }
  [[nodiscard]] Values mask(std::size_t step, std::size_t layer) const {
    Values mask;
    for (const char c : record_["steps"][step - 1]["masks"][layer].get<std::string>()) {
      mask.push_back(c == '1' ? 1.0F : 0.0F);
    }
    return mask;
  }
  [[nodiscard]] float threshold(std::size_t step, std::size_t layer) const {
    return record_["steps"][step - 1]["thresholds"][layer];
  }
  /// The kernels as the end of the epoch with this step left them.
  [[nodiscard]] Values kernel_of_epoch(std::size_t step, std::size_t layer) const {
    return test::list<float>(record_["epochs"][step / steps_per_epoch() - 1][layer]);
  }
  [[nodiscard]] Values first_kernel(std::size_t layer) const {
    return test::list<float>(record_["kernels"][layer]);
  }

  void train(nn::Executor& executor, std::size_t step) const {
    const std::size_t first = (step - 1) % steps_per_epoch() * static_cast<std::size_t>(samples());
    const auto n = static_cast<std::size_t>(samples());
    executor.train(
        {.input = ConstTensorView(std::span(x_).subspan(first * 6, n * 6), {samples(), 6}),
         .labels = ConstTensorView(std::span(labels_).subspan(first, n), {samples()}),
         .samples = samples()},
        static_cast<std::int64_t>(step), record_["learning_rate"]);
  }

 private:
  [[nodiscard]] std::int64_t samples() const { return record_["batch"]; }
  nlohmann::json record_;
  nn::PruneSchedule schedule_;
  Values x_;
  std::vector<std::int32_t> labels_;
};

nn::Model small_net() {
  return nn::ModelBuilder("small", {6}).dense(8).relu().dense(1).sigmoid().build();
}

/// The executor under test, its parameters by name.
struct Net {
  nn::Model model = small_net();
  std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::unique_ptr<nn::Executor> executor =
      nn::ReferenceEngine().compile(model, {.batch = 8, .masks = true});

  explicit Net(const Recording& recording) {
    executor->allocate();
    Values weights(static_cast<std::size_t>(nn::arena_elements(parameters)));
    std::size_t layer = 0;
    for (const nn::Parameter& p : parameters) {
      if (p.role != nn::Role::kernel) continue;
      const Values kernel = recording.first_kernel(layer++);
      std::copy(kernel.begin(), kernel.end(), weights.begin() + p.offset);
    }
    executor->write(nn::Arena::parameters, weights);
  }

  [[nodiscard]] Values values(nn::Arena arena, const std::string& name) const {
    Values all(static_cast<std::size_t>(arena == nn::Arena::parameters
                                            ? nn::arena_elements(parameters)
                                            : nn::trainable_elements(parameters)));
    executor->read(arena, all);
    const auto p = std::find_if(parameters.begin(), parameters.end(),
                                [&](const nn::Parameter& q) { return q.name == name; });
    const auto begin = all.begin() + p->offset;
    return {begin, begin + p->shape.elements()};
  }
  [[nodiscard]] Values weights(const std::string& name) const {
    return values(nn::Arena::parameters, name);
  }
  [[nodiscard]] Values mask(const std::string& name) const {
    return values(nn::Arena::masks, name);
  }
};

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

const std::vector<std::string> kKernels{"dense1.weight", "dense2.weight"};
const std::vector<std::string> kBiases{"dense1.bias", "dense2.bias"};

std::ptrdiff_t zeros(const Values& values) {
  return std::count(values.begin(), values.end(), 0.0F);
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

TEST_CASE("A run that is saved and restored between two masks goes on as if it had not been") {
  const Recording recording;
  const bool keras_compat = GENERATE(false, true);
  const std::size_t stop = GENERATE(2U, 6U, 8U);  // 8 ends an epoch, and with keras_compat waits
  nn::PruneSchedule schedule = recording.schedule();
  schedule.begin_step = 1;
  schedule.keras_compat = keras_compat;
  // Up to the update `last` itself: what comes before the next epoch follows with the next call.
  const auto run = [&](Net& net, Pruner& pruner, std::size_t first, std::size_t last) {
    for (std::size_t step = first; step <= last; ++step) {
      if (step > 1 && recording.ends_epoch(step - 1)) pruner.before_epoch(*net.executor, step - 1);
      recording.train(*net.executor, step);
      pruner.after_update(*net.executor, step, recording.ends_epoch(step));
    }
  };
  Net whole(recording), first(recording), second(recording);
  Pruner all(whole.model, {.schedule = schedule}), before(whole.model, {.schedule = schedule}),
      after(whole.model, {.schedule = schedule});
  all.begin(*whole.executor, 0);
  // float32 copies at the stop, as a checkpoint takes them, on both sides.
  const auto copy = [&](const Net& from, Net& to) {
    for (const nn::Arena arena : {nn::Arena::parameters, nn::Arena::masks}) {
      Values values(static_cast<std::size_t>(arena == nn::Arena::parameters
                                                 ? nn::arena_elements(from.parameters)
                                                 : nn::trainable_elements(from.parameters)));
      from.executor->read(arena, values);
      to.executor->write(arena, values);
    }
  };
  run(whole, all, 1, stop);
  copy(whole, whole);
  before.begin(*first.executor, 0);
  run(first, before, 1, stop);
  Checkpoint checkpoint;
  before.save(checkpoint);
  copy(first, second);
  after.restore(checkpoint);
  after.begin(*second.executor, stop, recording.ends_epoch(stop));  // validation comes first
  CHECK(second.weights(kKernels[0]) == first.weights(kKernels[0]));
  CHECK(named_values(after.summary()) == named_values(before.summary()));

  run(whole, all, stop + 1, 20);
  run(second, after, stop + 1, 20);
  for (const std::string& name : kKernels) {
    CHECK(second.weights(name) == whole.weights(name));
    CHECK(second.mask(name) == whole.mask(name));
  }
  CHECK(named_values(after.summary()) == named_values(all.summary()));
}

TEST_CASE("Masks stay with the weights of their names when layers are thawed") {
  const Recording recording;
  nn::Model frozen = small_net();
  frozen.layers.front().trainable = false;
  Pruner pruner(frozen, {.schedule = {.final_sparsity = 0.5}});
  REQUIRE(pruner.summary().tensors.size() == 1);
  Net net(recording);  // in which both layers are trained, and dense2 lies elsewhere
  pruner.begin(*net.executor, 0);
  CHECK(zeros(net.mask("dense1.weight")) == 0);
  CHECK(zeros(net.mask("dense2.weight")) == 4);
}

TEST_CASE("A checkpoint of other tensors is refused") {
  Pruner both(small_net(), {});
  Checkpoint checkpoint;
  both.save(checkpoint);
  Pruner one(small_net(), {.include = {"dense1"}});
  CHECK_THROWS_AS(one.restore(checkpoint), Error);
  CHECK_THROWS_AS(one.restore(Checkpoint{}), Error);
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

TEST_CASE("A run goes on by the rule that it was begun with, and an older one by tfmot's") {
  const PruneOptions options{.schedule = {.final_sparsity = 0.7}};
  const auto pruned_of_equal = [](Pruner& pruner) {
    const Recording recording;
    Net net(recording);
    const Values all(static_cast<std::size_t>(nn::arena_elements(net.parameters)), 0.5F);
    net.executor->write(nn::Arena::parameters, all);
    pruner.begin(*net.executor, 0);
    return zeros(net.mask("dense1.weight"));
  };
  Checkpoint checkpoint;
  Pruner(small_net(), options).save(checkpoint);
  Pruner same(small_net(), options);
  same.restore(checkpoint);
  CHECK(same.rule() == PruneRule::smallest);
  CHECK(pruned_of_equal(same) == 34);
  checkpoint.values.erase("pruning.rule");
  Pruner older(small_net(), options);
  older.restore(checkpoint);
  CHECK(older.rule() == PruneRule::threshold);
  CHECK(pruned_of_equal(older) == 0);  // all are as large as the threshold
  Checkpoint again;
  older.save(again);
  same.restore(again);
  CHECK(same.rule() == PruneRule::threshold);
  checkpoint.set("pruning.rule", "of the next program");
  CHECK_THROWS_WITH(older.restore(checkpoint), Catch::Contains("'of the next program'"));
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

TEST_CASE("Pruning cannot be added to a run, and that is said") {
  Pruner pruner(small_net(), {});
  CHECK_THROWS_WITH(pruner.restore(Checkpoint{}), Catch::Contains("begun without pruning"));
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

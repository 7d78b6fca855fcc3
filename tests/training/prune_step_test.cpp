#include "catch.h"
#include "training/steps.h"

#include <millrace/training/prune_step.h>

#include <algorithm>

using namespace millrace;
using namespace millrace::test;

namespace {

/// A run of three epochs of two steps each, and what prunes it.
struct Run {
  std::shared_ptr<TrainingState> state;
  std::shared_ptr<Pruner> pruner;
  Batches batches;
  TrainStep train;
  PruneStep prune;

  explicit Run(const nn::PruneSchedule& schedule)
      : state(make_state()),
        pruner(std::make_shared<Pruner>(small_model(), PruneOptions{.schedule = schedule})),
        train(state, [](double, std::uint64_t) { return 0.05; }),
        prune(state, pruner) {}

  static std::shared_ptr<TrainingState> make_state() {
    nn::CompileOptions options = small_options();
    options.masks = true;
    return std::make_shared<TrainingState>(small_executor(small_model(), options),
                                           arenas_of(options));
  }

  StepRecord step(const BatchTag& tag) { return prune(*train(batches(tag))); }

  [[nodiscard]] std::vector<float> masks() const {
    std::vector<float> masks(
        static_cast<std::size_t>(nn::trainable_elements(nn::parameters(state->executor->model()))));
    state->executor->read(nn::Arena::masks, masks);
    return masks;
  }
};

}  // namespace

TEST_CASE("a record tells of pruning when masks were made and with each epoch") {
  Run run({.final_sparsity = 0.5, .begin_step = 1, .frequency = 2});
  run.pruner->begin(*run.state->executor, 0);
  std::vector<bool> tells;
  for (const BatchTag& tag : Batches::tags(3)) {
    const StepRecord record = run.step(tag);
    tells.push_back(record.pruning != nullptr);
    if (record.pruning != nullptr) CHECK(record.pruning->tensors.size() == 2);
  }
  // Masks at steps 1, 3, 5: the first of each epoch; then the last batch of the epoch.
  CHECK(tells == std::vector<bool>{true, false, true, true, false, true, true, false, true});
}

TEST_CASE("an epoch's record holds sparsity and threshold of each tensor") {
  Run run({.final_sparsity = 0.5});
  run.pruner->begin(*run.state->executor, 0);
  StepRecord last;
  for (const BatchTag& tag : Batches::tags(1)) last = run.step(tag);
  REQUIRE(last.epoch != nullptr);
  CHECK(last.epoch->extra == named_values(*last.pruning));
  CHECK(last.epoch->value("dense1.weight/sparsity") == 0.5);
  CHECK(last.epoch->value("dense1.weight/threshold").value_or(0) > 0);
  CHECK(last.epoch->value("sparsity") ==
        Approx(8.0 / 15));  // of 12 and of 3, where 1.5 to even are 2 pruned
}

TEST_CASE("a checkpoint holds masks and pruning, and the run goes on to the bit") {
  const nn::PruneSchedule schedule{.kind = nn::PruneKind::polynomial,
                                   .initial_sparsity = 0.25,
                                   .final_sparsity = 0.75,
                                   .end_step = 5,
                                   .frequency = 2};
  const std::vector<BatchTag> tags = Batches::tags(3);
  Run whole(schedule), resumed(schedule);
  whole.pruner->begin(*whole.state->executor, 0);
  Checkpoint checkpoint;
  for (std::size_t i = 0; i < 4; ++i) whole.step(tags[i]);
  save(*whole.state, {whole.pruner}, checkpoint);
  // The reference engine computes in float64; both go on from the checkpoint's float32.
  restore(*whole.state, {whole.pruner}, checkpoint);
  restore(*resumed.state, {resumed.pruner}, checkpoint);
  resumed.pruner->begin(*resumed.state->executor, resumed.state->step);
  for (std::size_t i = 4; i < tags.size(); ++i) {
    whole.step(tags[i]);
    resumed.step(tags[i]);
  }
  CHECK(resumed.state->weights() == whole.state->weights());
  CHECK(resumed.masks() == whole.masks());
  CHECK(named_values(resumed.pruner->summary()) == named_values(whole.pruner->summary()));
  CHECK(resumed.pruner->summary().tensors[0].pruned == 9);  // three quarters of 12
}

TEST_CASE("masks go over to the executor in which a frozen layer is thawed") {
  nn::Model frozen = small_model();
  frozen.layers[1].trainable = false;  // dense1, behind flatten
  REQUIRE(frozen.layers[1].name == "dense1");
  nn::CompileOptions options = small_options();
  options.masks = true;
  const auto state =
      std::make_shared<TrainingState>(small_executor(frozen, options), arenas_of(options));
  Pruner pruner(frozen, {.schedule = {.final_sparsity = 0.6, .frequency = 1}});
  pruner.begin(*state->executor, 0);
  state->unfrozen = nn::ReferenceEngine().compile(small_model(), options);
  CHECK_FALSE(state->executor->masks_updates());  // the next update is right before a mask
  state->unfreeze();
  CHECK_FALSE(state->executor->masks_updates());
  std::vector<float> masks(
      static_cast<std::size_t>(nn::trainable_elements(nn::parameters(small_model()))));
  state->executor->read(nn::Arena::masks, masks);
  for (const nn::Parameter& p : nn::parameters(small_model())) {
    const auto begin = masks.begin() + p.offset;
    const auto zeros = std::count(begin, begin + p.shape.elements(), 0.0F);
    INFO(p.name);
    CHECK(zeros == (p.name == "dense2.weight" ? 2 : 0));  // of 3, 1.2 are kept
  }
}

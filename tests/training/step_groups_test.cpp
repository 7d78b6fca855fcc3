// Steps that take several batches: what is told of them, and where training stops within one.

#include "catch.h"
#include "training/steps.h"

#include <millrace/training/train_step.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Of five training steps an epoch and one of validation, in groups of two.
std::vector<BatchTag> tags_of_five() {
  std::vector<BatchTag> tags;
  for (std::uint32_t step = 0; step < 5; ++step) {
    const std::uint32_t group = (step + 1) / 2 * 2;
    tags.push_back({.step = step,
                    .steps = 5,
                    .ends_phase = step == 4,
                    .next = {.step = step == 4 ? 0 : group, .position = 4 * group}});
  }
  tags.back().next = {.phase = Phase::validation, .pass = 1};
  tags.push_back({.phase = Phase::validation,
                  .steps = 1,
                  .ends_phase = true,
                  .ends_epoch = true,
                  .ends_run = true,
                  .next = {.epoch = 1, .pass = 1}});
  return tags;
}

nn::CompileOptions in_pairs() {
  nn::CompileOptions options = small_options();
  options.accumulate = 2;
  return options;
}

}  // namespace

TEST_CASE("batches of a group are one step, and go on as one record with all their samples") {
  const auto state = small_state(small_executor(small_model(), in_pairs()));
  TrainStep step(state, [](double, std::uint64_t s) { return 0.1 / static_cast<double>(s); });
  Batches batches;
  std::vector<StepRecord> records;
  for (const BatchTag& tag : tags_of_five()) {
    if (auto record = step(batches(tag, 1))) records.push_back(*record);
  }
  REQUIRE(records.size() == 4);  // 2 + 2 + 1 batches, and validation
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t of_group = i < 2 ? 2 : 1;
    CHECK(records[i].global_step == i + 1);
    CHECK(records[i].samples == 4 * of_group);
    CHECK(records[i].result.samples == 4 * of_group);
    CHECK(records[i].holes == of_group);
    CHECK(records[i].steps == 1);
    CHECK(records[i].learning_rate == 0.1 / static_cast<double>(i + 1));
  }
  REQUIRE(records[3].epoch != nullptr);
  CHECK(records[3].epoch->training.samples == 20);
  CHECK(records[3].epoch->global_step == 3);
  CHECK(records[3].epoch->holes == 6);
  CHECK(state->update == 3);
}

TEST_CASE("a group is gone on with from its first batch where training stops within it") {
  const std::vector<BatchTag> tags = tags_of_five();
  const auto trained = [&](std::size_t stop_at) {
    auto state = small_state(small_executor(small_model(), in_pairs()));
    Batches batches;
    std::optional<TrainStep> step(std::in_place, state, tenth);
    bool has_stopped = false;
    for (std::size_t i = 0; i < tags.size(); ++i) {
      if (i == stop_at && !std::exchange(has_stopped, true)) {
        (void)collect_results(*state);
        state->drop_group();
        Checkpoint checkpoint;
        state->save(checkpoint);
        state = small_state(small_executor(small_model(), in_pairs()));
        state->restore(checkpoint);
        step.emplace(state, tenth);
        if (i < 5) i = state->next.step;
      }
      (*step)(batches(tags[i]));
    }
    state->epoch.seconds = state->epoch.training_s = 0;
    return told(*state);
  };
  const std::string whole = trained(tags.size());
  for (std::size_t stop_at = 1; stop_at < tags.size(); ++stop_at) {
    INFO("stopped before batch " << stop_at);
    CHECK(trained(stop_at) == whole);
  }
}

TEST_CASE("running statistics that a group has moved are those before it where training stops") {
  const nn::Model model =
      nn::ModelBuilder("bn", {2, 2, 1}).flatten().dense(3).batch_norm().dense(1).sigmoid().build();
  const auto state = small_state(small_executor(model, in_pairs()));
  TrainStep step(state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = tags_of_five();
  step(batches(tags[0]));
  step(batches(tags[1]));
  const std::vector<float> before = state->weights();
  step(batches(tags[2]));
  CHECK(state->weights() != before);
  state->drop_group();
  CHECK(state->weights() == before);
}

TEST_CASE("a group whose batches have no samples takes no step, and one with a few of them does") {
  const auto state = small_state(small_executor(small_model(), in_pairs()));
  TrainStep step(state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = tags_of_five();
  const auto empty = [&](const BatchTag& tag) {
    Lease<DeviceBatch> batch = batches(tag, 4);
    batch->size = 0;
    return step(batch);
  };
  CHECK_FALSE(empty(tags[0]));
  CHECK(empty(tags[1])->global_step == 0);
  CHECK_FALSE(step(batches(tags[2])));
  const auto record = empty(tags[3]);
  CHECK(record->global_step == 1);
  CHECK(record->samples == 4);
  CHECK(record->result.samples == 4);
}

TEST_CASE("a batch of several steps is refused where gradients are accumulated") {
  TrainStep step(small_state(small_executor(small_model(), in_pairs())), tenth);
  Batches batches;
  CHECK_THROWS_WITH(step(batches({.steps = 3, .count = 2, .rows = 2})),
                    Catch::Contains("a batch of 2 steps cannot be accumulated"));
}

// Weights and their averages change places once at each end of a validation.

#include "catch.h"
#include "engines/watched_executor.h"
#include "training/steps.h"

#include <millrace/training/train_step.h>

#include <optional>

using namespace millrace;
using namespace millrace::test;

namespace {

nn::CompileOptions averaged_options() {
  nn::CompileOptions options = small_options();
  options.average = 0.75;
  return options;
}

/// A state whose executor is watched.
struct Watched {
  explicit Watched(const nn::Model& model = small_model(),
                   const nn::CompileOptions& options = averaged_options())
      : executor(std::make_shared<WatchedExecutor>(small_executor(model, options))),
        state(std::make_shared<TrainingState>(executor, arenas_of(options))) {}
  std::shared_ptr<WatchedExecutor> executor;
  std::shared_ptr<TrainingState> state;
};

/// Two batches of training and so many of validation.
std::vector<BatchTag> tags_of_epoch(std::uint32_t validation) {
  std::vector<BatchTag> tags = Batches::tags(1);
  BatchTag last = tags.back();
  tags.pop_back();
  last.steps = validation;
  for (std::uint32_t i = 0; i + 1 < validation; ++i) {
    tags.push_back({.phase = Phase::validation, .step = i, .steps = validation});
  }
  last.step = validation - 1;
  tags.push_back(last);
  return tags;
}

}  // namespace

TEST_CASE("weights and averages change places twice in a validation, whatever its batches") {
  const std::uint32_t batches_of_validation = GENERATE(1U, 2U, 7U);
  const bool measures = GENERATE(false, true);
  const Watched watched;
  TrainStep step(watched.state, tenth);
  if (measures) step.metrics({"auc"}, 4 * batches_of_validation, 4);
  Batches batches;
  for (std::uint32_t epoch = 0; epoch < 2; ++epoch) {
    for (BatchTag tag : tags_of_epoch(batches_of_validation)) {
      tag.epoch = epoch;
      step(batches(tag));
      CHECK(watched.executor->is_swapped() == (tag.phase == Phase::validation && !tag.ends_phase));
    }
    CHECK(watched.executor->swaps == 2 * static_cast<int>(epoch + 1));
  }
}

TEST_CASE("a validation whose last batch has no samples gives the weights their place back") {
  const Watched watched;
  TrainStep step(watched.state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = tags_of_epoch(2);
  for (const BatchTag& tag : tags) {
    Lease<DeviceBatch> batch = batches(tag, tag.ends_phase ? 4 : 0);
    if (tag.ends_run) batch->size = 0;
    step(batch);
  }
  CHECK_FALSE(watched.executor->is_swapped());
  CHECK(watched.executor->swaps == 2);
}

TEST_CASE("a validation that ends by an error gives the weights their place back") {
  const Watched watched;
  TrainStep step(watched.state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = tags_of_epoch(3);
  for (std::size_t i = 0; i < 3; ++i) step(batches(tags[i]));
  const std::vector<float> averages = watched.state->evaluated_weights();
  CHECK(watched.executor->is_swapped());
  Lease<DeviceBatch> broken = batches(tags[3]);
  broken->size = 9;  // more than the model was compiled for
  CHECK_THROWS_WITH(step(broken), Catch::Contains("samples"));
  CHECK_FALSE(watched.executor->is_swapped());
  CHECK(watched.state->weights() != averages);
}

TEST_CASE("a validation that training stops in gives the weights their place back") {
  const Watched watched;
  std::optional<TrainStep> step(std::in_place, watched.state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = tags_of_epoch(3);
  for (std::size_t i = 0; i < 3; ++i) (*step)(batches(tags[i]));
  CHECK(watched.executor->is_swapped());
  SECTION("by a callback") {
    watched.state->finish("enough");
    CHECK_FALSE((*step)(batches(tags[3])));
  }
  SECTION("because no more batches come and the run's step goes") {
    step.reset();
  }
  CHECK_FALSE(watched.executor->is_swapped());
}

TEST_CASE("whoever asks for the state within a validation gets that of the weights") {
  const auto run = [](bool asks) {
    const Watched watched;
    TrainStep step(watched.state, tenth);
    Batches batches;
    std::vector<float> weights;
    std::shared_ptr<EpochRecord> epoch;
    for (const BatchTag& tag : tags_of_epoch(4)) {
      epoch = step(batches(tag))->epoch;
      if (tag.phase == Phase::training) {
        weights = watched.state->weights();
        continue;
      }
      if (!asks) continue;
      CHECK(watched.state->evaluated_weights() != weights);
      Checkpoint checkpoint;
      watched.state->save(checkpoint);
      CHECK(checkpoint.arrays.at("parameters") == weights);
      CHECK(watched.state->evaluated_weights() != weights);
      CHECK(watched.state->weights() == weights);
      const auto other = std::make_shared<TrainingState>(
          small_executor(small_model(), averaged_options()), arenas_of(averaged_options()));
      other->restore(checkpoint);
      CHECK(other->evaluated_weights() == watched.state->evaluated_weights());
    }
    return epoch->validation->loss_sum;
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("a group of batches whose model has a batch norm reads nothing from the device") {
  const nn::Model model =
      nn::ModelBuilder("bn", {2, 2, 1}).flatten().dense(3).batch_norm().dense(1).sigmoid().build();
  nn::CompileOptions options = averaged_options();
  options.accumulate = 2;
  const Watched watched(model, options);
  TrainStep step(watched.state, tenth);
  Batches batches;
  for (std::uint32_t i = 0; i < 5; ++i) step(batches({.step = i, .steps = 6}));
  watched.state->drop_group();
  CHECK(watched.executor->reads == 0);
  CHECK(watched.executor->swaps == 0);
}

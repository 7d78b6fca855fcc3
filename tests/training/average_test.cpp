// Averages of the weights in a training run: what is validated, kept, saved and gone on with.

#include "catch.h"
#include "io/scratch.h"
#include "training/recorded_pruning.h"
#include "training/steps.h"

#include <millrace/core/error.h>
#include <millrace/nn/average.h>
#include <millrace/training/monitor.h>
#include <millrace/training/saved_model.h>
#include <millrace/training/take_snapshot.h>
#include <millrace/training/train_step.h>

#include <algorithm>
#include <tuple>
#include <utility>

using namespace millrace;
using namespace millrace::test;

namespace {

nn::CompileOptions averaged_options() {
  nn::CompileOptions options = small_options();
  options.average = 0.75;
  return options;
}

std::shared_ptr<TrainingState> averaged_state(
    const nn::Model& model = small_model(),
    const nn::CompileOptions& options = averaged_options()) {
  return std::make_shared<TrainingState>(small_executor(model, options), arenas_of(options));
}

std::vector<float> arena(const nn::Executor& executor, nn::Arena which) {
  std::vector<float> values(static_cast<std::size_t>(
      which == nn::Arena::parameters ? nn::arena_elements(nn::parameters(executor.model()))
                                     : nn::trainable_elements(nn::parameters(executor.model()))));
  executor.read(which, values);
  return values;
}

/// Of a parameter, from values in the order of TrainingState::weights() of small_model().
std::vector<float> part(const std::vector<float>& values, const std::string& name) {
  for (const nn::Parameter& p : nn::parameters(small_model())) {
    if (p.name != name) continue;
    return {values.begin() + p.offset, values.begin() + p.offset + p.shape.elements()};
  }
  return {};
}

}  // namespace

TEST_CASE("validation is of the averages, and the weights train on as without them") {
  const auto averaged = averaged_state(), plain = small_state();
  TrainStep step(averaged, tenth), plain_step(plain, tenth);
  Batches batches, plain_batches;
  std::shared_ptr<EpochRecord> epoch, plain_epoch;
  const std::vector<BatchTag> tags = Batches::tags(2);
  for (const BatchTag& tag : tags) {
    if (const auto told = step(batches(tag))->epoch) epoch = told;
    if (const auto told = plain_step(plain_batches(tag))->epoch) plain_epoch = told;
  }
  CHECK(averaged->weights() == plain->weights());
  CHECK(epoch->training.loss_sum == plain_epoch->training.loss_sum);
  CHECK(epoch->validation->loss_sum != plain_epoch->validation->loss_sum);
  plain->set_weights(averaged->evaluated_weights());
  const auto last = batches(tags.back());
  CHECK(epoch->validation->loss_sum == plain->executor->evaluate(last->view()).loss_sum);
}

TEST_CASE("metrics of a validation are of the averages") {
  const auto averaged = averaged_state(), plain = small_state();
  TrainStep step(averaged, tenth), validation(plain, tenth);
  for (TrainStep* one : {&step, &validation}) one->metrics({"auc"}, 4, 4);
  Batches batches;
  std::shared_ptr<EpochRecord> epoch;
  const std::vector<BatchTag> tags = Batches::tags(1);
  for (const BatchTag& tag : tags) epoch = step(batches(tag))->epoch;
  plain->set_weights(averaged->evaluated_weights());
  const auto expected = validation(batches(tags.back()))->epoch;
  CHECK(epoch->value("val_auc").value() == expected->value("val_auc").value());
  CHECK(epoch->value("val_loss").value() == expected->value("val_loss").value());
}

TEST_CASE("a state with averages that is saved at any batch goes on to the same bit") {
  const std::vector<BatchTag> tags = Batches::tags(3);
  const auto run = [&](std::size_t stop_at) {
    auto state = averaged_state();
    Batches batches;
    double validated = 0;
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const auto record = TrainStep(state, tenth)(batches(tags[i]));
      if (record->epoch) validated = record->epoch->validation->loss_sum;
      if (i != stop_at) continue;
      Checkpoint checkpoint;
      state->save(checkpoint);
      CHECK(checkpoint.arrays.count("average") == 1);
      state = averaged_state();
      state->restore(checkpoint);
    }
    return std::tuple(state->weights(), state->evaluated_weights(), validated);
  };
  const auto whole = run(99);
  CHECK(std::get<0>(whole) != std::get<1>(whole));
  for (std::size_t i = 0; i + 1 < tags.size(); ++i) {
    INFO("saved after batch " << i);
    CHECK(run(i) == whole);
  }
}

TEST_CASE("a checkpoint without averages is not gone on with by a run that has some") {
  Checkpoint checkpoint;
  small_state()->save(checkpoint);
  const auto state = averaged_state();
  const std::vector<float> before = state->weights();
  CHECK_THROWS_WITH(state->restore(checkpoint), Catch::Contains("holds no average"));
  CHECK(state->weights() == before);
}

TEST_CASE("layers that are unfrozen begin their averages there, and the others keep theirs") {
  nn::Model model = small_model();
  model.layers[1].trainable = false;  // the first dense layer
  const auto state = averaged_state(model);
  state->unfrozen = cpu::make_engine({.threads = 1})->compile(small_model(), averaged_options());
  TrainStep step(state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = Batches::tags(1);
  for (std::size_t i = 0; i < 2; ++i) step(batches(tags[i]));
  const std::vector<float> weights = state->weights(), averages = state->evaluated_weights();
  const std::string head = small_model().layers[3].name + ".weight";
  CHECK(part(averages, head) != part(weights, head));
  state->unfreeze();
  CHECK(state->weights() == weights);
  CHECK(state->evaluated_weights() == averages);
  const std::string frozen = small_model().layers[1].name + ".weight";
  CHECK(part(averages, frozen) == part(weights, frozen));
}

TEST_CASE("a group that is dropped because training stops leaves the averages as they were") {
  const nn::Model model =
      nn::ModelBuilder("bn", {2, 2, 1}).flatten().dense(3).batch_norm().dense(1).sigmoid().build();
  nn::CompileOptions options = averaged_options();
  options.accumulate = 2;
  const auto state = averaged_state(model, options);
  TrainStep step(state, tenth);
  Batches batches;
  for (std::uint32_t i = 0; i < 2; ++i) step(batches({.step = i, .steps = 5}));
  const std::vector<float> weights = state->weights(), averages = state->evaluated_weights();
  CHECK(weights != averages);
  step(batches({.step = 2, .steps = 5}));
  state->drop_group();
  CHECK(state->weights() == weights);
  CHECK(state->evaluated_weights() == averages);
}

TEST_CASE("early stopping restores the averages of the best epoch, as weights and as averages") {
  const auto state = averaged_state();
  const auto stop = early_stopping({"val_loss"}, {.patience = 9}, true, small_model());
  Decide decide(state, {stop});
  TrainStep step(state, tenth);
  Batches batches;
  std::optional<double> best;
  std::vector<float> best_averages;
  for (const BatchTag& tag : Batches::tags(4)) {
    const auto record = step(batches(tag));
    if (record->epoch) {
      const double loss = record->epoch->value("val_loss").value();
      if (!best || loss < *best) best_averages = state->evaluated_weights();
      best = std::min(loss, best.value_or(loss));
    }
    decide(*record);
  }
  CHECK(state->weights() == best_averages);
  CHECK(state->evaluated_weights() == best_averages);
}

TEST_CASE("snapshots save the averages, whole ones and those of the weights alone") {
  const Scratch scratch;
  const auto saved_by = [&](bool is_whole) {
    const auto state = averaged_state();
    Snapshot snapshot = SnapshotFactory{state, {}, is_whole}();
    Batches batches;
    TrainStep step(state, tenth);
    step(batches(Batches::tags(1)[0]));
    snapshot.is_whole = is_whole;
    if (is_whole) {
      save(*state, {}, snapshot.checkpoint);
    } else {
      const nn::AverageScope averages(*state->executor);
      snapshot.checkpoint.arrays["parameters"] = arena(*state->executor, nn::Arena::parameters);
    }
    const auto path = scratch / "model.safetensors";
    save_model(path, small_model(), snapshot.parameters(), FlattenOrder::channels_last,
               snapshot.averages());
    CHECK(state->evaluated_weights() != state->weights());
    CHECK(load_model(path).parameters == state->evaluated_weights());
  };
  saved_by(true);
  saved_by(false);
}

TEST_CASE("pruning prunes the averages with the weights, whatever comes between two masks") {
  const Recording recording;
  Net net(recording);
  net.executor =
      nn::ReferenceEngine().compile(net.model, {.batch = 8, .masks = true, .average = 0.75});
  Net plain(recording);
  net.executor->allocate();
  net.executor->write(nn::Arena::parameters, arena(*plain.executor, nn::Arena::parameters));
  const bool keras_compat = GENERATE(true, false);
  nn::PruneSchedule schedule = recording.schedule();
  schedule.keras_compat = keras_compat;
  Pruner pruner(net.model, {.schedule = schedule}), plain_pruner(net.model, {.schedule = schedule});
  pruner.begin(*net.executor, 0);
  plain_pruner.begin(*plain.executor, 0);
  for (std::size_t step = 1; step <= recording.steps(); ++step) {
    INFO("step " << step);
    const bool ends_epoch = recording.ends_epoch(step);
    for (auto [one, its] : {std::pair(&net, &pruner), std::pair(&plain, &plain_pruner)}) {
      recording.train(*one->executor, step);
      its->after_update(*one->executor, step, ends_epoch);
    }
    CHECK(arena(*net.executor, nn::Arena::parameters) ==
          arena(*plain.executor, nn::Arena::parameters));
    if (ends_epoch) {
      for (const std::string& kernel : kKernels) {
        const Values mask = net.mask(kernel), average = net.values(nn::Arena::average, kernel);
        for (std::size_t i = 0; i < mask.size(); ++i) CHECK((mask[i] != 0 || average[i] == 0));
        CHECK(average != net.weights(kernel));
      }
      if (step == recording.steps()) break;
      pruner.before_epoch(*net.executor, step);
      plain_pruner.before_epoch(*plain.executor, step);
    }
  }
  CHECK(pruner.scratch(true).count > pruner.scratch().count);
}

#include "catch.h"
#include "training/steps.h"

#include <millrace/training/train_step.h>

#include <string>
#include <tuple>
#include <utility>

using namespace millrace;
using namespace millrace::test;

namespace {

/// In fp16, with a loss scale that is too high for the first steps and then comes back often.
std::shared_ptr<TrainingState> state_in_fp16() {
  const nn::ReferenceEngine engine(
      {.precision = nn::Precision::fp16, .loss_scale = {.initial = 0x1p19, .growth_steps = 2}});
  std::shared_ptr<nn::Executor> executor = engine.compile(small_model(), small_options());
  executor->allocate();
  executor->write(nn::Arena::parameters, small_state()->weights());
  return small_state(std::move(executor));
}

}  // namespace

TEST_CASE("an epoch in fp16 tells its loss scale and how many steps were skipped") {
  const auto state = state_in_fp16();
  TrainStep step(state, tenth);
  Batches batches;
  std::shared_ptr<EpochRecord> told;
  for (const BatchTag& tag : Batches::tags(1)) told = step(batches(tag))->epoch;
  REQUIRE(told != nullptr);
  // The first of the two steps overflows, and 2^19 is halved.
  CHECK(told->value("skipped_steps").value() == 1);
  CHECK(told->value("loss_scale").value() == 0x1p18);
}

TEST_CASE("an epoch is told with its last batch, with the totals of both phases") {
  const auto state = small_state();
  TrainStep step(state, [](double, std::uint64_t s) { return 0.1 / static_cast<double>(s); });
  Batches batches;
  const std::vector<BatchTag> tags = Batches::tags(1);
  const auto first = step(batches(tags[0], 1));
  const auto second = step(batches(tags[1]));
  const auto third = step(batches(tags[2], 2));
  CHECK(first->epoch == nullptr);
  CHECK(second->epoch == nullptr);
  REQUIRE(third->epoch != nullptr);
  const EpochRecord& epoch = *third->epoch;
  CHECK(epoch.training.loss_sum == first->result.loss_sum + second->result.loss_sum);
  CHECK(epoch.training.samples == 8);
  REQUIRE(epoch.validation);
  CHECK(epoch.validation->loss_sum == third->result.loss_sum);
  CHECK(epoch.holes == 3);
  CHECK(epoch.learning_rate == 0.05);
  CHECK(epoch.global_step == 2);
  CHECK(epoch.value("val_loss") == epoch.validation->mean_loss());
  CHECK_FALSE(epoch.value("val_auc"));
  CHECK(state->next == ReaderPosition{.epoch = 1, .pass = 1});
}

TEST_CASE("the next epoch begins with empty totals") {
  TrainStep step(small_state(), tenth);
  Batches batches;
  std::optional<StepRecord> last;
  for (const BatchTag& tag : Batches::tags(2)) last = step(batches(tag, 1));
  CHECK(last->epoch->epoch == 1);
  CHECK(last->epoch->training.samples == 8);
  CHECK(last->epoch->validation->samples == 4);
  CHECK(last->epoch->holes == 3);
}

TEST_CASE("once training is finished no batch is trained and none goes on") {
  const auto state = small_state();
  TrainStep step(state, tenth);
  Batches batches;
  const std::vector<BatchTag> tags = Batches::tags(1);
  REQUIRE(step(batches(tags[0])));
  const std::vector<float> weights = state->weights();
  state->finish("enough");
  state->finish("too late to say so");
  CHECK_FALSE(step(batches(tags[1])));
  CHECK(state->weights() == weights);
  CHECK(state->step == 1);
  CHECK(state->reason() == "enough");
  CHECK(state->finished()->load());
}

TEST_CASE("a batch without samples takes no step") {
  const auto state = small_state();
  TrainStep step(state, tenth);
  Batches batches;
  Lease<DeviceBatch> empty = batches(Batches::tags(1)[0], 4);
  empty->size = 0;
  const auto record = step(empty);
  CHECK(record->global_step == 0);
  CHECK(record->totals.samples == 0);
  CHECK(state->epoch.holes == 4);
}

TEST_CASE("a state that is saved at any batch and restored goes on to the same bit") {
  const std::vector<BatchTag> tags = Batches::tags(3);
  const auto run = [&](std::size_t stop_at) {
    auto state = small_state();
    auto step = std::make_unique<TrainStep>(state, tenth);
    Batches batches;
    std::vector<EpochRecord> epochs;
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const auto record = (*step)(batches(tags[i], 1));
      if (record->epoch) {
        epochs.push_back(*record->epoch);
        state->history.push_back(*record->epoch);
      }
      if (i != stop_at) continue;
      Checkpoint checkpoint;
      state->save(checkpoint);
      state = small_state();
      state->restore(checkpoint);
      step = std::make_unique<TrainStep>(state, tenth);
      CHECK(state->next == tags[i].next);
    }
    return std::pair(state->weights(), to_text([&] {
                       EpochRecord last = epochs.back();
                       last.seconds = last.training_s = 0;
                       return last;
                     }()));
  };
  const auto whole = run(99);
  for (std::size_t i = 0; i + 1 < tags.size(); ++i) {
    INFO("saved after batch " << i);
    CHECK(run(i) == whole);
  }
}

TEST_CASE("a loss scale is saved, and the run goes on to the same bit") {
  const std::vector<BatchTag> tags = Batches::tags(6);
  const auto run = [&](bool anew, std::size_t stop_at) {
    auto state = state_in_fp16();
    Batches batches;
    for (std::size_t i = 0; i < tags.size(); ++i) {
      TrainStep(state, tenth)(batches(tags[i]));
      if (i != stop_at) continue;
      // The reference engine's weights are float64; both runs go on with what float32 holds of
      // them.
      Checkpoint checkpoint;
      state->save(checkpoint);
      if (anew) state = state_in_fp16();
      state->restore(checkpoint);
    }
    CHECK(state->executor->loss_scale()->skipped > 1);
    return std::tuple(state->weights(), *state->executor->loss_scale());
  };
  for (std::size_t i = 0; i + 1 < tags.size(); ++i) {
    INFO("saved after batch " << i);
    CHECK(run(true, i) == run(false, i));
  }
}

TEST_CASE("a checkpoint that does not fit is refused before it has changed anything") {
  const auto trained = [](std::shared_ptr<TrainingState> state, std::size_t steps) {
    Batches batches;
    TrainStep step(state, tenth);
    for (std::size_t i = 0; i < steps; ++i) step(batches(Batches::tags(1)[i]));
    return state;
  };
  const auto checkpoint_of = [](const TrainingState& state) {
    Checkpoint checkpoint;
    state.save(checkpoint);
    return checkpoint;
  };
  const auto state = trained(small_state(), 1);
  const std::string before = told(*state);
  const auto refuses = [&](const Checkpoint& checkpoint, const char* words) {
    CHECK_THROWS_WITH(state->restore(checkpoint), Catch::Contains(words));
    CHECK(told(*state) == before);
  };
  const Checkpoint good = checkpoint_of(*trained(small_state(), 2));
  Checkpoint bad = good;
  bad.arrays.at("second_moment").pop_back();
  refuses(bad, "second_moment");
  bad = good;
  bad.arrays.erase("first_moment");
  refuses(bad, "first_moment");
  for (const auto& [key, value] : good.values) {
    if (key == "finished" || key == "reason") continue;  // are not read
    bad = good;
    bad.values.erase(key);
    refuses(bad, key.c_str());
  }
  bad = good;
  bad.set("history", "no record");
  refuses(bad, "");
  bad = good;
  bad.set("unfrozen", true);
  refuses(bad, "unfrozen");
  refuses(checkpoint_of(*state_in_fp16()), "loss scale");
  CHECK_THROWS_WITH(state_in_fp16()->restore(good), Catch::Contains("loss scale"));
  state->restore(good);
  CHECK(state->step == 2);
}

TEST_CASE("what is saved in a validation that is under way begins that validation anew") {
  const auto state = small_state();
  TrainStep step(state, tenth);
  Batches batches;
  std::vector<BatchTag> tags = Batches::tags(1);
  tags[2].ends_phase = tags[2].ends_epoch = false;
  tags[2].steps = 2;  // another validation batch would come
  for (const BatchTag& tag : tags) step(batches(tag, 1));
  Checkpoint checkpoint;
  state->save(checkpoint);
  const auto other = small_state();
  other->restore(checkpoint);
  CHECK(other->next == tags[1].next);
  CHECK_FALSE(other->epoch.validation);
  CHECK(other->epoch.holes == 2);
}

TEST_CASE("from the epoch of unfreezing on, steps train all layers with a new optimizer") {
  nn::Model model = small_model();
  model.layers[1].trainable = false;  // the first dense layer
  const auto state = small_state(small_executor(model));
  const std::shared_ptr<nn::Executor> whole =
      cpu::make_engine({.threads = 1})->compile(small_model(), small_options());
  TrainStep step(state, tenth);
  state->unfrozen = whole;
  step.unfreeze_at(2, 0.5);
  Batches batches;
  const auto kernel = [&](const std::string& name) {
    const std::vector<float> weights = state->weights();
    for (const nn::Parameter& p : nn::parameters(small_model())) {
      if (p.name != name) continue;
      return std::vector<float>(weights.begin() + p.offset,
                                weights.begin() + p.offset + p.shape.elements());
    }
    return std::vector<float>{};
  };
  const std::string frozen = small_model().layers[1].name + ".weight";
  const std::string head = small_model().layers[3].name + ".weight";
  REQUIRE_FALSE(kernel(frozen).empty());
  const std::vector<float> before = kernel(frozen), head_before = kernel(head);
  const std::vector<BatchTag> tags = Batches::tags(2);
  for (std::size_t i = 0; i < 3; ++i) step(batches(tags[i]));
  CHECK(kernel(frozen) == before);
  CHECK(kernel(head) != head_before);
  const std::vector<float> head_trained = kernel(head);
  const auto record = step(batches(tags[3]));
  CHECK(kernel(frozen) != before);
  CHECK(record->learning_rate == 0.05);
  CHECK(state->update == 1);
  CHECK(state->step == 3);
  for (std::size_t i = 0; i < head_trained.size(); ++i) {  // Adam's first step is the rate at most
    CHECK(std::abs(kernel(head)[i] - head_trained[i]) <= 0.0501F);
  }
}

TEST_CASE("a record of an epoch comes back from its line of text to the bit") {
  EpochRecord record;
  record.epoch = 4;
  record.training = {.loss_sum = 0.1 + 0.2, .weight_sum = 3, .correct = 7, .samples = 9};
  record.validation = nn::StepResult{.loss_sum = 1e-310, .samples = 2};
  record.learning_rate = 1.0 / 3;
  record.is_best = true;
  record.extra = {{"val_auc", 0.7}, {"sparsity dense1", -0.0}};
  const EpochRecord back = epoch_from_text(to_text(record));
  CHECK(to_text(back) == to_text(record));
  CHECK(back.training.loss_sum == record.training.loss_sum);
  CHECK(back.extra == record.extra);
  CHECK_THROWS_WITH(epoch_from_text("1\tx"), Catch::Contains("'x'"));
}

TEST_CASE("a state that had no masks is gone on with, and they keep all weights") {
  const auto before = small_state();
  Checkpoint checkpoint;
  before->save(checkpoint);
  nn::CompileOptions options = small_options();
  options.masks = true;
  const auto executor = small_executor(small_model(), options);
  TrainingState after(executor, arenas_of(options));
  std::vector<float> masks(
      static_cast<std::size_t>(nn::trainable_elements(nn::parameters(small_model()))), 0.0F);
  executor->write(nn::Arena::masks, masks);
  after.restore(checkpoint);
  executor->read(nn::Arena::masks, masks);
  for (const nn::Parameter& parameter : nn::parameters(small_model())) {
    const auto* const first = masks.data() + parameter.offset;
    CHECK(std::all_of(first, first + parameter.shape.elements(), [](float m) { return m == 1; }));
  }
  CHECK(after.weights() == before->weights());
  checkpoint.arrays.erase("first_moment");
  CHECK_THROWS_WITH(after.restore(checkpoint), Catch::Contains("holds no first_moment"));
}

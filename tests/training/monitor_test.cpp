// Callbacks in a training state, against recorded runs of Keras's. The state is saved and restored
// by another one after each epoch, as if the run were killed there.

#include "catch.h"
#include "nn/recorded.h"
#include "training/steps.h"

#include <millrace/training/monitor.h>

#include <functional>
#include <limits>

using namespace millrace;
using namespace millrace::test;

namespace {

using Make = std::function<std::shared_ptr<Callback>()>;

/// Epochs whose val_x is given and whose weights are all the number of the epoch.
struct Watched {
  explicit Watched(Make make_callback) : make(std::move(make_callback)), callback(make()) {}

  /// False once training is finished.
  bool epoch(const nlohmann::json& value, bool is_last) {
    state->set_weights(std::vector<float>(state->weights().size(), static_cast<float>(epochs)));
    StepRecord record;
    record.tag = {.epoch = epochs, .ends_epoch = true, .ends_run = is_last};
    record.epoch = std::make_shared<EpochRecord>();
    record.epoch->epoch = epochs++;
    const double number =
        value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    record.epoch->extra = {{"val_x", number}};
    Decide(state, {callback})(record);
    if (state->is_finished()) return false;
    Checkpoint checkpoint;
    save(*state, {callback}, checkpoint);
    const double rate = state->rate;
    callback = make();
    state = small_state();
    restore(*state, {callback}, checkpoint);
    CHECK(state->rate == rate);
    return true;
  }

  Make make;
  std::shared_ptr<Callback> callback;
  std::shared_ptr<TrainingState> state = small_state();
  std::uint32_t epochs = 0;
};

Monitor monitor_of(const nlohmann::json& options) {
  return {"val_x", nn::direction_named(options["mode"].get<std::string>())};
}

}  // namespace

TEST_CASE("early stopping, resumed after each epoch, ends and restores the weights as Keras does") {
  const nlohmann::json records = recorded("callbacks.json")["early_stopping"];
  for (const auto& record : records) {
    INFO(record["options"] << " " << record["values"]);
    const auto& recorded_options = record["options"];
    nn::EarlyStoppingOptions options;
    options.min_delta = recorded_options.value("min_delta", options.min_delta);
    options.patience = recorded_options.value("patience", options.patience);
    if (recorded_options.contains("baseline")) options.baseline = recorded_options["baseline"];
    options.start_from_epoch = recorded_options.value("start_from_epoch", 0U);
    Watched run(
        [&] { return early_stopping(monitor_of(recorded_options), options, true, small_model()); });
    const auto& values = record["values"];
    bool goes_on = true;
    for (std::size_t i = 0; goes_on && i < values.size(); ++i) {
      goes_on = run.epoch(values[i], i + 1 == values.size());
    }
    CHECK(run.epochs == record["epochs"]);
    CHECK(run.state->is_finished() == record["stopped"]);
    CHECK(run.state->weights().front() == record["best_epoch"].get<float>());
  }
}

TEST_CASE("a plateau, resumed after each epoch, lowers the rate as Keras does") {
  const nlohmann::json records = recorded("callbacks.json")["plateau"];
  for (const auto& record : records) {
    INFO(record["options"] << " " << record["values"]);
    const auto& recorded_options = record["options"];
    nn::ReduceOnPlateauOptions options;
    options.factor = recorded_options.value("factor", options.factor);
    options.patience = recorded_options.value("patience", options.patience);
    options.min_delta = recorded_options.value("min_delta", options.min_delta);
    options.cooldown = recorded_options.value("cooldown", options.cooldown);
    options.min_rate = recorded_options.value("min_lr", options.min_rate);
    Watched run([&] { return reduce_on_plateau(monitor_of(recorded_options), options); });
    for (std::size_t i = 0; i < record["values"].size(); ++i) {
      run.state->rate = 0.5 * run.state->rate_factor;  // as the steps of the epoch leave it
      run.epoch(record["values"][i], false);
      CHECK(0.5 * run.state->rate_factor == Approx(record["rates"][i].get<double>()).epsilon(1e-6));
    }
  }
}

TEST_CASE("the best epoch is marked where Keras's ModelCheckpoint saves the best only") {
  const nlohmann::json records = recorded("callbacks.json")["checkpoint"];
  for (const auto& record : records) {
    INFO(record["options"] << " " << record["values"]);
    if (record["options"].contains("initial_value_threshold")) continue;  // there is no such option
    Watched run([&] { return track_best(monitor_of(record["options"])); });
    std::vector<std::size_t> saved;
    for (std::size_t i = 0; i < record["values"].size(); ++i) {
      run.epoch(record["values"][i], false);
      if (run.state->history.back().is_best) saved.push_back(i);
    }
    CHECK(saved == list<std::size_t>(record["saved"]));
  }
}

namespace {

/// An epoch with val_x of 3 and val_y of 1, and what a callback made of it.
struct OneEpoch {
  explicit OneEpoch(std::shared_ptr<Callback> callback, std::uint32_t number = 0)
      : state(small_state()) {
    record.epoch = std::make_shared<EpochRecord>();
    record.epoch->epoch = number;
    record.epoch->extra = {{"val_x", 3}, {"val_y", 1}};
    state->rate = 1;
    Decide(state, {callback})(record);
    save(*state, {callback}, checkpoint);
  }
  std::shared_ptr<TrainingState> state;
  StepRecord record;
  Checkpoint checkpoint;
};

const Monitor kLessX{"val_x", nn::Direction::min}, kLessY{"val_y", nn::Direction::min},
    kMoreX{"val_x", nn::Direction::max};

}  // namespace

TEST_CASE("the best of another figure, or of the other direction, is not gone on with") {
  const OneEpoch before(track_best(kLessX));
  for (const auto& [monitor, is_best] :
       {std::pair(kLessX, false), std::pair(kLessY, true), std::pair(kMoreX, true)}) {
    INFO(monitor.name << ' ' << nn::to_string(monitor.direction));
    const auto best = track_best(monitor);
    best->restore(before.checkpoint);
    CHECK(OneEpoch(best, 1).record.epoch->is_best == is_best);
  }
  CHECK(watched(before.checkpoint)->name == "val_x");
  CHECK(is_same(*watched(before.checkpoint), kLessX));
  CHECK_FALSE(is_same(kLessX, kMoreX));
}

TEST_CASE("early stopping and the plateau of another figure begin anew, or where they were not") {
  const auto stops = [](const Monitor& monitor, const Checkpoint& checkpoint) {
    const auto stop = early_stopping(monitor, {.patience = 1}, true, small_model());
    stop->restore(checkpoint);
    return OneEpoch(stop, 1).state->is_finished();
  };
  const OneEpoch stopping(early_stopping(kLessX, {.patience = 1}, true, small_model()));
  CHECK(stops(kLessX, stopping.checkpoint));  // 3 is no better than 3
  CHECK_FALSE(stops(kLessY, stopping.checkpoint));
  CHECK_FALSE(stops(kMoreX, stopping.checkpoint));

  const auto lowers = [](const Monitor& monitor, const Checkpoint& checkpoint) {
    const auto plateau = reduce_on_plateau(monitor, {.patience = 1});
    plateau->restore(checkpoint);
    return OneEpoch(plateau, 1).state->rate_factor < 1;
  };
  const OneEpoch flat(reduce_on_plateau(kLessX, {.patience = 1}));
  CHECK(lowers(kLessX, flat.checkpoint));
  CHECK_FALSE(lowers(kLessY, flat.checkpoint));

  const OneEpoch neither(track_best(kLessX));
  CHECK_FALSE(stops(kLessX, neither.checkpoint));
  CHECK_FALSE(lowers(kLessX, neither.checkpoint));
}

TEST_CASE("best weights that a run did not keep are not restored in place of better ones") {
  OneEpoch before(early_stopping(kLessX, {.patience = 1}, false, small_model()));
  REQUIRE(before.checkpoint.arrays.count("early_stopping.weights") == 0);
  const auto stop = early_stopping(kLessX, {.patience = 1}, true, small_model());
  stop->restore(before.checkpoint);
  const OneEpoch after(stop, 1);
  CHECK_FALSE(after.state->is_finished());  // the best since its weights are kept
  CHECK(after.checkpoint.arrays.count("early_stopping.weights") == 1);
}

TEST_CASE("what an older program watched can be said, and is taken for the same otherwise") {
  OneEpoch before(track_best(kLessX));
  for (const char* name : {"best.monitor", "best.direction"}) before.checkpoint.values.erase(name);
  CHECK_FALSE(watched(before.checkpoint));
  const auto is_best = [&](const Monitor& monitor) {
    const auto best = track_best(monitor);
    best->restore(before.checkpoint);
    return OneEpoch(best, 1).record.epoch->is_best;
  };
  CHECK_FALSE(is_best(kLessX));
  set_watched(kLessY, before.checkpoint);
  CHECK(is_best(kLessX));
}

TEST_CASE(
    "a figure that an epoch does not have cannot be watched, and the error names what it has") {
  Decide decide(small_state(), {track_best({"val_auc"})});
  StepRecord record;
  record.epoch = std::make_shared<EpochRecord>();
  record.epoch->validation = nn::StepResult{.samples = 1};
  CHECK_THROWS_WITH(decide(record), Catch::Contains("'val_auc'") &&
                                        Catch::Contains("loss, accuracy, val_loss, val_accuracy"));
}

TEST_CASE("a measure that the validation samples do not define cannot be watched") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto decide = [&](double loss) {
    Decide step(small_state(), {track_best({"val_r2"})});
    StepRecord record;
    record.epoch = std::make_shared<EpochRecord>();
    record.epoch->validation = nn::StepResult{.loss_sum = loss, .samples = 1};
    record.epoch->extra = {{"val_r2", nan}};
    return step(record);
  };
  CHECK_THROWS_WITH(decide(0.5),
                    "epoch 1: 'val_r2' is to be watched and is not defined for the "
                    "validation samples; monitor another figure, as val_loss");
  CHECK(decide(nan).epoch->is_best);  // outputs that are no numbers are Keras's case
}

TEST_CASE("a checkpoint tells whether early stopping ended its run, and how long it had waited") {
  const auto stop = early_stopping(kLessX, {.patience = 2}, false, small_model());
  OneEpoch run(stop);
  CHECK_FALSE(early_stop_of(run.checkpoint, kLessX));  // which goes on
  for (const std::uint32_t epoch : {1U, 2U}) run = OneEpoch(stop, epoch);
  REQUIRE(run.state->is_finished());
  CHECK(early_stop_of(run.checkpoint, kLessX)->wait == 2);
  CHECK(early_stop_of(run.checkpoint, kLessX)->counts);
  CHECK_FALSE(early_stop_of(run.checkpoint, kLessY)->counts);
  forget_best(run.checkpoint);
  CHECK_FALSE(early_stop_of(run.checkpoint, kLessX)->counts);
  run.checkpoint.set("reason", "accurate enough");  // as another callback would say
  CHECK_FALSE(early_stop_of(run.checkpoint, kLessX));
}

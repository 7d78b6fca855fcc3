// Callbacks in a training state, against recorded runs of Keras's. The state is saved and restored
// by another one after each epoch, as if the run were killed there.

#include "catch.h"
#include "nn/recorded.h"
#include "nodes/steps.h"

#include <millrace/nodes/monitor.h>

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

TEST_CASE(
    "a figure that an epoch does not have cannot be watched, and the error names what it has") {
  Decide decide(small_state(), {track_best({"val_auc"})});
  StepRecord record;
  record.epoch = std::make_shared<EpochRecord>();
  record.epoch->validation = nn::StepResult{.samples = 1};
  CHECK_THROWS_WITH(decide(record), Catch::Contains("'val_auc'") &&
                                        Catch::Contains("loss, accuracy, val_loss, val_accuracy"));
}

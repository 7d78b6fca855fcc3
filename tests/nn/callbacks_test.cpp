// What callbacks decide, against recorded runs of Keras's.

#include <millrace/core/error.h>
#include <millrace/nn/monitor.h>

#include "catch.h"
#include "recorded.h"

#include <limits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<double> values_of(const nlohmann::json& record) {
  std::vector<double> values;
  for (const auto& value : record["values"]) {
    values.push_back(value.is_null() ? kNaN : value.get<double>());
  }
  return values;
}

Direction direction_in(const nlohmann::json& options) {
  return direction_named(options["mode"].get<std::string>());
}

EarlyStoppingOptions stopping_options(const nlohmann::json& record) {
  EarlyStoppingOptions o{.direction = direction_in(record)};
  o.min_delta = record.value("min_delta", o.min_delta);
  o.patience = record.value("patience", o.patience);
  if (record.contains("baseline")) o.baseline = record["baseline"].get<double>();
  o.start_from_epoch = record.value("start_from_epoch", o.start_from_epoch);
  return o;
}

TEST_CASE("Early stopping ends where Keras's does and keeps the same weights") {
  const auto records = test::recorded("callbacks.json")["early_stopping"];
  REQUIRE(records.size() >= 50);
  for (const auto& record : records) {
    DYNAMIC_SECTION(record["options"] << " " << record["values"]) {
      EarlyStopping stopping(stopping_options(record["options"]));
      const std::vector<double> values = values_of(record);
      std::uint32_t epochs = 0;
      std::optional<std::uint32_t> kept;
      bool has_stopped = false;
      for (; epochs < values.size() && !has_stopped; ++epochs) {
        const auto decision = stopping.update(epochs, values[epochs]);
        if (decision.improved) kept = epochs;
        has_stopped = decision.stop;
      }
      CHECK(epochs == record["epochs"]);
      CHECK(has_stopped == record["stopped"]);
      CHECK(kept.value_or(epochs - 1) == record["best_epoch"]);  // nothing kept: the last weights
      CHECK(stopping.state().wait == record["wait"]);
    }
  }
}

TEST_CASE("A plateau lowers the rate where Keras's does") {
  const auto records = test::recorded("callbacks.json")["plateau"];
  REQUIRE(records.size() >= 45);
  for (const auto& record : records) {
    DYNAMIC_SECTION(record["options"] << " " << record["values"]) {
      const auto& recorded = record["options"];
      ReduceOnPlateauOptions o{.direction = direction_in(recorded)};
      o.factor = recorded.value("factor", o.factor);
      o.patience = recorded.value("patience", o.patience);
      o.min_delta = recorded.value("min_delta", o.min_delta);
      o.cooldown = recorded.value("cooldown", o.cooldown);
      o.min_rate = recorded.value("min_lr", o.min_rate);
      ReduceOnPlateau plateau(o);
      double rate = 0.5;
      const std::vector<double> values = values_of(record);
      for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
        INFO("epoch " << epoch);
        rate = plateau.update(values[epoch], rate);
        CHECK(rate == Approx(record["rates"][epoch].get<double>()).epsilon(1e-6));  // Keras: float
      }
    }
  }
}

TEST_CASE("The best is saved in the epochs in which Keras's checkpoint saves it") {
  const auto records = test::recorded("callbacks.json")["checkpoint"];
  for (const auto& record : records) {
    DYNAMIC_SECTION(record["options"] << " " << record["values"]) {
      std::optional<double> best;
      if (record["options"].contains("initial_value_threshold")) {
        best = record["options"]["initial_value_threshold"].get<double>();
      }
      std::vector<std::size_t> saved;
      const std::vector<double> values = values_of(record);
      for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
        if (!improved(values[epoch], best, direction_in(record["options"]))) continue;
        best = values[epoch];
        saved.push_back(epoch);
      }
      CHECK(saved == test::list<std::size_t>(record["saved"]));
    }
  }
}

TEST_CASE("A decision goes on from a state that was kept") {
  const std::vector<double> values{3, 2, 2.5, 2.2, 1, 1.5, 1.6, 1.7};
  EarlyStopping whole({.patience = 3});
  ReduceOnPlateau plateau({.patience = 2, .cooldown = 1});
  double rate = 1;
  for (std::uint32_t epoch = 0; epoch < values.size(); ++epoch) {
    EarlyStopping resumed({.patience = 3});
    resumed.restore(whole.state());
    ReduceOnPlateau other({.patience = 2, .cooldown = 1});
    other.restore(plateau.state());
    const auto expected = whole.update(epoch, values[epoch]);
    const auto decision = resumed.update(epoch, values[epoch]);
    CHECK(decision.stop == expected.stop);
    CHECK(decision.improved == expected.improved);
    const double next = plateau.update(values[epoch], rate);
    CHECK(other.update(values[epoch], rate) == next);
    rate = next;
  }
}

TEST_CASE("The way that is better follows from the name") {
  CHECK(direction_of("loss") == Direction::min);
  CHECK(direction_of("val_loss") == Direction::min);
  for (const char* name : {"accuracy", "val_accuracy", "val_auc", "precision", "recall", "val_f1",
                           "top5", "val_top10"}) {
    CHECK(direction_of(name) == Direction::max);
  }
  for (const char* name : {"", "val_", "speed", "top", "topk", "val_val_loss"}) {
    CHECK_THROWS_AS(direction_of(name), UsageError);
  }
  CHECK(direction_named("auto") == Direction::automatic);
  CHECK_THROWS_WITH(direction_named("up"), Contains("auto, min, max"));
}

TEST_CASE("Options of callbacks out of their range are refused by name") {
  CHECK_THROWS_WITH(ReduceOnPlateau({.factor = 1}), Contains("factor"));
  CHECK_THROWS_WITH(ReduceOnPlateau({.min_rate = -1}), Contains("min_rate"));
  CHECK_THROWS_WITH(EarlyStopping({.direction = Direction::automatic}), Contains("direction"));
  CHECK_THROWS_WITH(EarlyStopping({.min_delta = kNaN}), Contains("min_delta"));
}

}  // namespace

// How near outputs come to targets, against scikit-learn.

#include <millrace/core/error.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/monitor.h>
#include <millrace/nn/target_metrics.h>
#include <millrace/nn/transfer.h>

#include "catch.h"
#include "recorded.h"

#include <cmath>
#include <limits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

Model model_with(const std::vector<std::string>& targets, bool are_labels) {
  ModelBuilder builder("m", {3});
  builder.dense(static_cast<std::int64_t>(targets.size()));
  if (are_labels) builder.sigmoid();
  Model model = builder.build();
  model.targets = targets;
  return model;
}

/// Rows of numbers, of which null is unknown.
std::vector<float> floats(const nlohmann::json& rows) {
  std::vector<float> values;
  for (const auto& row : rows) {
    for (const auto& value : row) values.push_back(value.is_null() ? kUnknown : value.get<float>());
  }
  return values;
}

/// Null in a record says that there is no figure.
void check_figure(double figure, const nlohmann::json& expected) {
  if (expected.is_null())
    CHECK(std::isnan(figure));
  else
    CHECK(figure == Approx(expected.get<double>()).epsilon(1e-9).margin(1e-12));
}

void check_figures(const TargetFigures& figures, const nlohmann::json& expected) {
  check_figure(figures.mse, expected["mse"]);
  check_figure(figures.mae, expected["mae"]);
  check_figure(figures.r2, expected["r2"]);
  check_figure(figures.binary_accuracy, expected.value("binary_accuracy", nlohmann::json()));
  check_figure(figures.auc, expected.value("auc", nlohmann::json()));
}

/// Metrics of one sample after the other.
TargetMetrics measured(const Model& model, std::vector<float> outputs, std::vector<float> targets) {
  TargetMetrics metrics(model, true);
  const std::size_t width = model.targets.size();
  for (std::size_t i = 0; i < outputs.size(); i += width) {
    metrics.add(
        std::span(outputs).subspan(i, width),
        {std::span<const float>(targets).subspan(i, width), {1, static_cast<std::int64_t>(width)}},
        1);
  }
  return metrics;
}

}  // namespace

TEST_CASE("Figures of targets are scikit-learn's, over the rows in which each is known") {
  const nlohmann::json records = test::recorded("targets.json")["figures"];
  for (const auto& [kind, record] : records.items()) {
    INFO(kind);
    const Model model = model_with({"a", "b", "c", "d"}, kind == "labels");
    const TargetMetrics metrics =
        measured(model, floats(record["outputs"]), floats(record["targets"]));
    const std::vector<TargetFigures> each = metrics.per_target();
    REQUIRE(each.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      INFO("target " << i);
      check_figures(each[i], record["each"][i]);
      CHECK(each[i].known == record["each"][i]["known"].get<std::int64_t>());
    }
    check_figures(TargetMetrics::mean(each), record["mean"]);
    CHECK(metrics.value("r2 b") == each[1].r2);
    CHECK(metrics.value("mae") == TargetMetrics::mean(each).mae);
  }
}

TEST_CASE("A target of which nothing is known has no figures, and is in no mean") {
  const Model model = model_with({"a", "b"}, false);
  const TargetMetrics metrics =
      measured(model, {1, 5, 2, 6, 4, 7}, {1, kUnknown, 3, kUnknown, 4, kUnknown});
  const std::vector<TargetFigures> each = metrics.per_target();
  CHECK(std::isnan(each[1].mse));
  CHECK(std::isnan(each[1].r2));
  CHECK(metrics.value("mse") == Approx(1.0 / 3));
  CHECK(TargetMetrics::mean(each).known == 3);
}

TEST_CASE("An output that is not a number shows in the figures and in their means") {
  const Model model = model_with({"a", "b"}, false);
  const TargetMetrics metrics = measured(model, {1, kUnknown, 2, 6}, {1, 4, 3, 4});
  for (const char* name : {"mse", "mae", "r2", "r2 b"}) {
    INFO(name);
    CHECK(std::isnan(metrics.value(name)));
  }
  CHECK(metrics.value("mse a") == 0.5);
}

TEST_CASE("R2 of a constant target is 1 where it is met, and there is none of a single value") {
  const Model model = model_with({"a"}, false);
  CHECK(measured(model, {5, 5}, {5, 5}).value("r2") == 1);
  CHECK(measured(model, {5, 6}, {5, 5}).value("r2") == 0);
  CHECK(std::isnan(measured(model, {5}, {5}).value("r2")));
}

TEST_CASE("Metrics of targets begin anew after reset") {
  const Model model = model_with({"a"}, true);
  TargetMetrics metrics = measured(model, {0.9F, 0.1F}, {0, 1});
  metrics.reset();
  const std::vector<float> outputs{0.9F, 0.1F}, targets{1, 0};
  metrics.add(outputs, {std::span<const float>(targets), {2, 1}}, 2);
  CHECK(metrics.value("binary_accuracy") == 1);
  CHECK(metrics.value("auc") == 1);
  CHECK(metrics.per_target()[0].known == 2);
}

TEST_CASE("Targets of another width are no targets of the model") {
  const Model model = model_with({"a", "b"}, false);
  TargetMetrics metrics(model);
  const std::vector<float> outputs(6), targets(6);
  CHECK_THROWS_WITH(metrics.add(outputs, {std::span<const float>(targets), {2, 3}}, 2),
                    "metrics: targets f32 2x3 for 2 samples; expected f32 [N][2]");
}

TEST_CASE("What is measured of targets goes by names, and of numbers no accuracy is") {
  const Model numbers = model_with({"a", "b c"}, false), labels = model_with({"a"}, true);
  for (const char* name : {"mse", "mae", "r2", "r2 a", "mae b c"}) {
    CHECK_NOTHROW(check_target_metric(name, numbers));
  }
  CHECK_NOTHROW(check_target_metric("auc a", labels));
  CHECK_THROWS_WITH(check_target_metric("auc", numbers),
                    Contains("does not end in a sigmoid; known: mse, mae, r2"));
  CHECK_THROWS_WITH(check_target_metric("accuracy", labels), Contains("unknown metric 'accuracy'"));
  CHECK_THROWS_WITH(check_target_metric("r2 c", numbers), Contains("there is no target 'c'"));
  CHECK_THROWS_WITH(check_target_metric("r2 ", numbers), Contains("there is no target ''"));
}

TEST_CASE("Less error of targets is better, and more of R2 and of accuracy") {
  for (const char* name : {"val_mse", "mae", "val_mae price"}) {
    CHECK(direction_of(name) == Direction::min);
  }
  for (const char* name : {"val_r2", "val_r2 price", "val_binary_accuracy", "val_auc price"}) {
    CHECK(direction_of(name) == Direction::max);
  }
}

TEST_CASE("The loss of a model with targets is squared error, behind a sigmoid cross-entropy") {
  CHECK(default_loss(model_with({"a"}, false)) == Loss::mean_squared_error);
  CHECK(default_loss(model_with({"a", "b"}, false)) == Loss::mean_squared_error);
  CHECK(default_loss(model_with({"a", "b"}, true)) == Loss::sigmoid_cross_entropy);
}

TEST_CASE("Targets are kept in a model's JSON, and a model without them has no word of them") {
  Model model = model_with({"a", "b"}, false);
  model.table = {.columns = {"x", "y", "z"}, .target_columns = {4, 2}};
  CHECK(model_from_json(to_json(model)) == model);
  model.targets.clear();
  model.table.target_columns.clear();
  CHECK_THAT(to_json(model), !Contains("target"));
  model.targets = {"a", "b", "c"};
  CHECK_THROWS_WITH(validate(model), "targets: expected 2 names for an output of 2, not 3");
  model.targets = {"a", "a"};
  CHECK_THROWS_WITH(validate(model), "targets: the same name twice");
  model.targets = {"a", "b"};
  model.classes = {"c", "d"};
  CHECK_THROWS_WITH(validate(model), "targets: a model has targets or classes, not both");
  model.classes.clear();
  CHECK(with_head(model, "dense", 3).targets.empty());
}

#pragma once
// The recorded averages of tests/reference/record_average.py, repeated on an engine.

#include <millrace/nn/average.h>
#include <millrace/nn/model.h>

#include "catch.h"
#include "nn/recorded.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::test {

/// Every value of `values` is the recorded one within `tolerance` of size 1.
inline void check_recorded_arena(const std::vector<nn::Parameter>& parameters,
                                 const std::vector<float>& values, const nlohmann::json& expected,
                                 double tolerance) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::vector<double> wanted = flat(expected[p]);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      INFO(parameters[p].name << "[" << i << "]");
      const float value = values[static_cast<std::size_t>(parameters[p].offset) + i];
      CHECK(double{value} == Approx(wanted[i]).epsilon(tolerance).margin(tolerance));
    }
  }
}

/// Weights, averages and the loss with averages after each step.
inline void check_recorded_average(const nn::Engine& engine, const nlohmann::json& record,
                                   double tolerance) {
  const auto& options = record["options"];
  const nn::Model model =
      nn::ModelBuilder("recorded", {4}).dense(5).relu().dense(3).softmax().build();
  const nn::OptimizerOptions optimizer{
      .kind = nn::optimizer_kind(options["optimizer"].get<std::string>()),
      .learning_rate = options["learning_rate"].get<double>(),
      .momentum = options.value("momentum", 0.0)};
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  const auto executor = engine.compile(
      model, {.batch = 6, .optimizer = optimizer, .average = options["average"].get<double>()});
  executor->allocate();
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::vector<double> values = flat(record["start"][p]);
    for (std::size_t i = 0; i < values.size(); ++i) {
      arena[static_cast<std::size_t>(parameters[p].offset) + i] = static_cast<float>(values[i]);
    }
  }
  executor->write(nn::Arena::parameters, arena);
  std::int64_t t = 0;
  for (const auto& step : record["steps"]) {
    INFO("step " << t + 1);
    const auto input = list<float>(step["inputs"]);
    const auto labels = list<std::int32_t>(step["labels"]);
    const nn::Batch batch{.input = ConstTensorView(std::span(input), {6, 4}),
                          .labels = ConstTensorView(std::span(labels), {6}),
                          .samples = 6};
    executor->train(batch, ++t, executor->learning_rate());
    executor->read(nn::Arena::parameters, arena);
    check_recorded_arena(parameters, arena, step["weights"], tolerance);
    executor->read(nn::Arena::average, arena);
    check_recorded_arena(parameters, arena, step["averages"], tolerance);
    const nn::AverageScope averages(*executor);
    const double loss = executor->evaluate(batch).mean_loss();
    CHECK(loss == Approx(step["loss"].get<double>()).epsilon(tolerance).margin(tolerance));
  }
}

}  // namespace millrace::test

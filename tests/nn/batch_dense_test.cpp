#include <millrace/nn/reference/engine.h>
#include <millrace/nn/zoo/zoo.h>

#include "catch.h"
#include "recorded.h"

namespace {

using namespace millrace;
using namespace millrace::nn;

/// Trains one epoch in the recorded order and returns the mean loss over its samples, as fit()
/// does.
double train_epoch(Executor& executor, const nlohmann::json& record,
                   const std::vector<std::size_t>& order, std::int64_t& t) {
  const auto x = test::list<float>(record["x"]);
  const auto y = test::list<std::int32_t>(record["labels"]);
  StepResult sum;
  for (std::size_t first = 0; first < order.size(); first += 32) {
    std::vector<float> input;
    std::vector<std::int32_t> labels;
    for (std::size_t i = first; i < std::min(first + 32, order.size()); ++i) {
      input.push_back(x[order[i]]);
      labels.push_back(y[order[i]]);
    }
    const auto samples = static_cast<std::int64_t>(labels.size());
    sum += executor.train({.input = ConstTensorView(std::span(input), {samples, 1}),
                           .labels = ConstTensorView(std::span(labels), {samples}),
                           .samples = samples},
                          ++t, 0.001);
  }
  return sum.mean_loss();
}

TEST_CASE("Ten epochs of batch-dense give Keras's losses") {
  const nlohmann::json record = test::recorded("batch_dense.json");
  const Model model = zoo_model("mlp:128", {1}, 1);
  const auto executor = ReferenceEngine().compile_reference(
      model,
      {.batch = 32, .optimizer = {.kind = OptimizerKind::keras_adam, .learning_rate = 0.001}});
  executor->allocate();
  for (const Parameter& parameter : parameters(model)) {
    const auto values = test::list<double>(record[parameter.name]);
    std::copy(values.begin(), values.end(), executor->parameters().begin() + parameter.offset);
  }
  std::int64_t t = 0;
  for (std::size_t epoch = 0; epoch < record["losses"].size(); ++epoch) {
    const auto order = test::list<std::size_t>(record["orders"][epoch]);
    const double loss = train_epoch(*executor, record, order, t);
    INFO("epoch " << epoch + 1);
    CHECK(loss == Approx(record["losses"][epoch].get<double>()).epsilon(1e-5));
  }
}

}  // namespace

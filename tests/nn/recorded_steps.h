#pragma once
// The recorded steps of tests/reference/record_gradients.py, repeated on an engine.

#include <millrace/nn/engine.h>

#include "catch.h"
#include "nn/recorded.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::test {

struct StepTolerance {
  double relative = 0, absolute = 0;
};

/// Any whole run of one record on one engine.
class RecordedSteps {
 public:
  RecordedSteps(const nn::Engine& engine, const nlohmann::json& record, StepTolerance tolerance)
      : record_(record), options_(record["options"]), tolerance_(tolerance) {
    const std::int64_t outputs = options_["outputs"];
    nn::ModelBuilder builder("recorded", {4});
    builder.dense(5).relu().dense(outputs);
    const nn::Model model = outputs == 1 ? builder.sigmoid().build() : builder.softmax().build();
    parameters_ = nn::parameters(model);
    executor_ = engine.compile(model, compile_options());
    executor_->allocate();
    arena_.resize(static_cast<std::size_t>(nn::arena_elements(parameters_)));
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const std::vector<double> values = flat(record["start"][p]);
      for (std::size_t i = 0; i < values.size(); ++i) at(p, i) = static_cast<float>(values[i]);
    }
    executor_->write(nn::Arena::parameters, arena_);
  }

  void check() {
    const double rate = executor_->learning_rate();
    for (std::size_t step = 0; step < record_["steps"].size(); ++step) {
      INFO("step " << step + 1);
      const auto& expected = record_["steps"][step];
      load(step);
      CHECK(executor_->train(batch_, static_cast<std::int64_t>(step) + 1, rate).mean_loss() ==
            approximately(expected["loss"]));
      check_weights(expected["weights"]);
    }
    load(0);
    CHECK(executor_->evaluate(batch_).mean_loss() == approximately(record_["evaluated"]));
  }

 private:
  [[nodiscard]] nn::OptimizerOptions options() const {
    return {.kind = nn::optimizer_kind(options_.value("optimizer", "sgd")),
            .learning_rate = options_.value("learning_rate", 0.1),
            .momentum = options_.value("momentum", 0.0)};
  }
  [[nodiscard]] nn::CompileOptions compile_options() const {
    return {.batch = 6,
            .label_smoothing = options_.value("label_smoothing", 0.0),
            .optimizer = options(),
            .gradient = {.l2 = options_.value("l2", 0.0),
                         .clip_value = options_.value("clip_value", 0.0),
                         .clip_norm = options_.value("clip_norm", 0.0),
                         .clip_global_norm = options_.value("clip_global_norm", 0.0)}};
  }
  [[nodiscard]] Approx approximately(double value) const {
    return Approx(value).epsilon(tolerance_.relative).margin(tolerance_.absolute);
  }
  float& at(std::size_t parameter, std::size_t element) {
    return arena_[static_cast<std::size_t>(parameters_[parameter].offset) + element];
  }
  void load(std::size_t step) {
    const std::vector<double> input = flat(record_["inputs"][step]);
    const std::vector<double> labels = flat(record_["labels"][step]);
    input_.assign(input.begin(), input.end());
    labels_.assign(labels.begin(), labels.end());
    const std::int64_t outputs = options_["outputs"];
    batch_.input = ConstTensorView(std::span<const float>(input_), {6, 4});
    batch_.labels = ConstTensorView(std::span<const float>(labels_), {6, outputs});
    batch_.samples = 6;
  }
  void check_weights(const nlohmann::json& expected) {
    executor_->read(nn::Arena::parameters, arena_);
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const std::vector<double> values = flat(expected[p]);
      for (std::size_t i = 0; i < values.size(); ++i) {
        INFO(parameters_[p].name << "[" << i << "]");
        CHECK(double{at(p, i)} == approximately(values[i]));
      }
    }
  }

  const nlohmann::json& record_;
  const nlohmann::json& options_;
  StepTolerance tolerance_;
  std::vector<nn::Parameter> parameters_;
  std::unique_ptr<nn::Executor> executor_;
  std::vector<float> arena_, input_, labels_;
  nn::Batch batch_;
};

}  // namespace millrace::test

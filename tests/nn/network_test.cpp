// The reference engine against one training step of PyTorch and Keras, layer kind by layer kind.

#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"
#include "recorded.h"

namespace {

using namespace millrace;
using namespace millrace::nn;

/// A recorded network with its batch, compiled and filled.
struct Network {
  explicit Network(const nlohmann::json& from)
      : record(from),
        model(model_from_json(from["model"].dump())),
        all(nn::parameters(model)),
        labels(test::list<std::int32_t>(from["labels"])),
        input(test::list<float>(from["input"])) {
    const auto samples = static_cast<std::int64_t>(labels.size());
    batch = {
        .input = ConstTensorView(std::span<const float>(input), model.input.with_front(samples)),
        .labels = ConstTensorView(std::span<const std::int32_t>(labels), {samples}),
        .samples = samples};
    executor = ReferenceEngine().compile_reference(
        model, {.batch = samples, .loss = Loss::softmax_cross_entropy});
    executor->allocate();
    for (const Parameter& parameter : all) {
      const auto values = test::list<double>(record["parameters"][parameter.name]);
      REQUIRE(static_cast<std::int64_t>(values.size()) == parameter.shape.elements());
      std::copy(values.begin(), values.end(), executor->parameters().begin() + parameter.offset);
    }
  }

  nlohmann::json record;
  Model model;
  std::vector<Parameter> all;
  std::vector<std::int32_t> labels;
  std::vector<float> input;
  Batch batch;
  std::unique_ptr<ReferenceExecutor> executor;
};

void check_close(std::span<const double> values, const std::vector<double>& expected) {
  REQUIRE(values.size() >= expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(values[i] == Approx(expected[i]).epsilon(1e-6).margin(1e-9));
  }
}

TEST_CASE("Networks give the logits, loss, gradients and statistics of PyTorch and Keras") {
  for (const auto& record : test::recorded("networks.json")) {
    DYNAMIC_SECTION(record["model"]["name"].get<std::string>()) {
      Network network(record);
      const auto logits = test::list<double>(record["logits"]);
      std::vector<float> outputs(logits.size());
      network.executor->predict(network.batch, outputs);
      for (std::size_t i = 0; i < logits.size(); ++i) {
        CHECK(static_cast<double>(outputs[i]) == Approx(logits[i]).epsilon(1e-6).margin(1e-6));
      }

      const StepResult result = network.executor->gradients(network.batch);
      CHECK(result.mean_loss() == Approx(record["mean_loss"].get<double>()).epsilon(1e-6));
      std::size_t checked = 0;
      for (const Parameter& parameter : network.all) {
        const auto at = static_cast<std::size_t>(parameter.offset);
        INFO(parameter.name);
        if (parameter.trainable) {
          check_close(network.executor->gradient().subspan(at),
                      test::list<double>(record["gradients"].at(parameter.name)));
          ++checked;
        } else if (record["statistics"].contains(parameter.name)) {
          check_close(network.executor->parameters().subspan(at),
                      test::list<double>(record["statistics"][parameter.name]));
        }
      }
      CHECK(checked == record["gradients"].size());
    }
  }
}

}  // namespace

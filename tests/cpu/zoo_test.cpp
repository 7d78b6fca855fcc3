// The networks of the zoo on the CPU engine beside PyTorch.

#include "nn/recorded_zoo.h"

#include <cmath>

#include "cpu/compare.h"

using namespace millrace;

namespace {

constexpr double kOutputs = 1e-4;  // of the largest: float32 adds up in another order
constexpr double kLosses = 1e-3;

std::unique_ptr<nn::Executor> compiled(const test::RecordedNetwork& network) {
  auto executor = cpu::make_engine({.threads = 2})->compile(network.model, network.options);
  executor->allocate();
  executor->write(nn::Arena::parameters, network.arena());
  return executor;
}

void check_outputs(const nlohmann::json& file, const nlohmann::json& record) {
  const test::RecordedNetwork network(file, record, record);
  const auto executor = compiled(network);
  const std::vector<double> expected = network.outputs(record);
  std::vector<float> outputs(expected.size());
  executor->predict(network.batch, outputs);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("output " << i);
    CHECK(std::abs(double{outputs[i]} - expected[i]) <= kOutputs * test::largest(expected));
  }
  const double loss = executor->gradients(network.batch).mean_loss();
  CHECK(loss == Approx(record["loss"].get<double>()).epsilon(kOutputs));
}

void check_steps(const nlohmann::json& file, const nlohmann::json& record) {
  const test::RecordedNetwork network(file, record, record["steps"]);
  const auto executor = compiled(network);
  std::int64_t step = 0;
  for (const double expected : test::list<double>(record["steps"]["losses"])) {
    INFO("step " << ++step);
    const nn::StepResult result = executor->train(network.batch, step, executor->learning_rate());
    CHECK(result.mean_loss() == Approx(expected).epsilon(kLosses));
  }
}

}  // namespace

TEST_CASE("Networks of the zoo give PyTorch's outputs and losses in float32") {
  for (const char* family : {"resnet", "mobilenet", "squeezenet", "efficientnet", "convnext"}) {
    test::for_each_network(family, check_outputs);
  }
}

TEST_CASE("VGGs give PyTorch's outputs and losses in float32") {
  test::for_each_network("vgg", check_outputs);
}

TEST_CASE("20 steps of every network have PyTorch's losses") {
  test::for_each_network("", check_steps);
}

// The reference engine beside PyTorch in float64, on networks with branches.

#include <millrace/nn/reference/engine.h>

#include "nn/recorded_graphs.h"

#include <cmath>

namespace {

using namespace millrace;
using namespace millrace::nn;

void check_close(const char* what, std::span<const double> values,
                 const std::vector<double>& expected) {
  REQUIRE(values.size() <= expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO(what << " " << i);
    CHECK(std::abs(values[i] - expected[i]) <= 1e-9);
  }
}

TEST_CASE("Networks with branches give PyTorch's outputs, losses, gradients and trained weights") {
  for (const auto& record : test::recorded("graphs.json")) {
    DYNAMIC_SECTION(record["model"]["name"].get<std::string>()) {
      const test::RecordedGraph network(record);
      const auto executor = ReferenceEngine().compile_reference(network.model, network.options);
      executor->allocate();
      std::ranges::copy(network.arena("parameters"), executor->parameters().begin());

      (void)executor->evaluate(network.batch);
      check_close("logit", executor->outputs(), test::list<double>(record["logits"]));
      const StepResult result = executor->gradients(network.batch);
      CHECK(std::abs(result.mean_loss() - record["loss"].get<double>()) <= 1e-9);
      check_close("gradient", executor->gradient(), network.arena("gradients"));

      std::ranges::copy(network.arena("parameters"), executor->parameters().begin());
      for (int t = 1; t <= record["steps"].get<int>(); ++t) {
        executor->train(network.batch, t, executor->learning_rate());
      }
      check_close("weight", executor->parameters(), network.arena("trained"));
    }
  }
}

}  // namespace

// The CPU engine beside PyTorch, on networks with branches.

#include "nn/recorded_graphs.h"

#include <cmath>

#include "cpu/compare.h"

using namespace millrace;

TEST_CASE("20 steps of networks with branches end where PyTorch's do") {
  for (const auto& record : test::recorded("graphs.json")) {
    for (const int threads : {1, 2}) {
      INFO(record["model"]["name"] << ", " << threads << " threads");
      const test::RecordedGraph network(record);
      const auto executor =
          cpu::make_engine({.threads = threads})->compile(network.model, network.options);
      executor->allocate();
      const std::vector<double> start = network.arena("parameters");
      const std::vector<float> floats(start.begin(), start.end());
      executor->write(nn::Arena::parameters, floats);
      for (int t = 1; t <= record["steps"].get<int>(); ++t) {
        executor->train(network.batch, t, executor->learning_rate());
      }
      const std::vector<float> trained = test::read(*executor, nn::Arena::parameters);
      const std::vector<double> expected = network.arena("trained");
      for (std::size_t i = 0; i < trained.size(); ++i) {
        INFO("weight " << i);
        CHECK(std::abs(double{trained[i]} - expected[i]) <= 1e-4);
      }
    }
  }
}

#pragma once
// Random graphs on an engine, beside float64 and beside plain loops over float32.

#include <millrace/nn/reference/engine.h>

#include <cmath>

#include "catch.h"
#include "engines/compare.h"
#include "engines/random_models.h"

namespace millrace::test {

/// The difference as a vector, by the norm of the exact one.
inline double relative_error(std::span<const float> values, std::span<const float> exact) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    error += std::pow(double{values[i]} - double{exact[i]}, 2);
    size += std::pow(double{exact[i]}, 2);
  }
  return std::sqrt(size == 0 ? error : error / size);
}

/// Root mean squares over graphs of how far from float64 outputs and gradients are.
struct Distances {
  double outputs = 0, gradients = 0;
};

/// Runs the graphs of seeds [1, graphs]. One graph's distance is a matter of luck (a sum of numbers
/// that happen to be equal rounds the same way a hundred times), those of many are not: an engine
/// is at most 4 times as far from float64 as plain loops over float32 are, and in no graph 1e-5
/// away.
inline void check_random_graphs(const nn::Engine& engine, std::uint64_t graphs,
                                Groups groups = Groups::any) {
  constexpr std::int64_t kBatch = 5;
  const nn::Loss loss = nn::Loss::softmax_cross_entropy;
  const nn::ReferenceEngine exact, plain({.float_loops = true});
  Distances found, loops;
  for (std::uint64_t seed = 1; seed <= graphs; ++seed) {
    const nn::Model model = random_model(seed, groups);
    const std::int64_t samples =
        seed % 3 == 0 ? 1 + static_cast<std::int64_t>(seed) % kBatch : kBatch;
    const OwnedBatch data(model, loss, samples, seed);
    const std::vector<float> weights = random_weights(model, seed);
    const nn::CompileOptions options{.batch = kBatch, .loss = loss, .seed = seed};
    struct Results {
      std::vector<float> outputs, gradients;
    };
    const auto run = [&](const nn::Engine& on) {
      const auto executor = test::executor(on, model, options);
      executor->write(nn::Arena::parameters, weights);
      Results results{.outputs = predict(*executor, data.batch()), .gradients = {}};
      (void)executor->gradients(data.batch());
      results.gradients = read(*executor, nn::Arena::gradients);
      return results;
    };
    const Results expected = run(exact);
    const auto distance = [&](const nn::Engine& on, Distances& sum) {
      const Results results = run(on);
      const double outputs = relative_error(results.outputs, expected.outputs);
      const double gradients = relative_error(results.gradients, expected.gradients);
      sum.outputs += outputs * outputs / static_cast<double>(graphs);
      sum.gradients += gradients * gradients / static_cast<double>(graphs);
      return std::max(outputs, gradients);
    };
    INFO("seed " << seed);
    CHECK(distance(engine, found) < 1e-5);
    (void)distance(plain, loops);
  }
  const double outputs = std::sqrt(found.outputs / loops.outputs);
  const double gradients = std::sqrt(found.gradients / loops.gradients);
  WARN(engine.description() << ": outputs " << outputs << " times, gradients " << gradients
                            << " times as far from float64 as plain loops, which are "
                            << std::sqrt(loops.outputs) << " and " << std::sqrt(loops.gradients)
                            << " away");
  CHECK(outputs <= 4);
  CHECK(gradients <= 4);
}

}  // namespace millrace::test

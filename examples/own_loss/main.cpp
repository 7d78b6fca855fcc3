// Your own loss: instead of the mean, two nets learn the bounds between which four fifths of the
// targets lie. What you learn: a loss of two formulas (quantile.h), register_loss(), and
// check_gradients() with it.

#include "quantile.h"

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/losses/registry.h>
#include <millrace/nn/reference/check_gradients.h>

#include <cmath>
#include <iostream>
#include <vector>

using namespace millrace;

constexpr std::int64_t kSamples = 2000;

/// y = x + noise that grows with x, so that no constant distance from the mean is a quantile.
struct Measurements {
  std::vector<float> x, y;

  explicit Measurements(std::uint64_t seed) {
    Random random(seed, 0, 0, Purpose::synthetic);
    for (std::int64_t i = 0; i < kSamples; ++i) {
      const double place = random.uniform(0, 1);
      x.push_back(static_cast<float>(place));
      y.push_back(static_cast<float>(place + (0.1 + place) * random.normal()));
    }
  }
  [[nodiscard]] nn::Batch batch() const {
    return {.input = {std::span<const float>(x), {kSamples, 1}},
            .labels = {std::span<const float>(y), {kSamples, 1}},
            .samples = kSamples};
  }
};

/// Trains a small net with the loss; returns which share of new targets is below its outputs.
double share_below(nn::Loss loss) {
  const nn::Model model = nn::ModelBuilder("quantile", {1}).dense(16).tanh().dense(1).build();
  std::cout << nn::loss_info(loss).name << ": ";
  // With a wrong slope a net would learn something, too; finite differences show it.
  std::cout << "error of a gradient " << nn::check_gradients(model, {.loss = loss}).largest_error;

  const auto executor = cpu::make_engine({.threads = 1})
                            ->compile(model, {.batch = kSamples,
                                              .loss = loss,
                                              .optimizer = {.kind = nn::OptimizerKind::adam}});
  executor->allocate();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 1, weights);
  executor->write(nn::Arena::parameters, weights);
  const Measurements seen(1), unseen(2);
  for (int step = 1; step <= 800; ++step) {
    // The slope does not shrink towards the minimum, so the learning rate has to.
    executor->train(seen.batch(), step, step <= 400 ? 0.01 : 0.001);
  }

  std::vector<float> outputs(unseen.y.size());
  executor->predict(unseen.batch(), outputs);
  std::int64_t below = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) below += unseen.y[i] < outputs[i] ? 1 : 0;
  const double share = static_cast<double>(below) / static_cast<double>(kSamples);
  std::cout << ", of new targets below the output " << share << '\n';
  return share;
}

int main() {
  // The value is valid until the program ends; files keep the name, which loss_named() finds from
  // now on.
  const nn::Loss upper = nn::register_loss<Quantile90>();
  nn::register_loss<Quantile10>();
  const double high = share_below(upper);
  const double low = share_below(nn::loss_named("quantile_10"));
  std::cout << "between the two: " << high - low << '\n';
  return std::abs(high - 0.9) < 0.03 && std::abs(low - 0.1) < 0.03 ? 0 : 1;
}

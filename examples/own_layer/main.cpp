// Your own kind of layer. What you learn: a kind of two formulas (mish.h), check_gradients(), a
// model with it on the CPU engine, and registering it, so that model files with it can be read.

#include "mish.h"

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/layers/registry.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/check_gradients.h>

#include <cmath>
#include <iostream>
#include <vector>

using namespace millrace;

constexpr std::int64_t kPoints = 256;

/// Points in the plane, and whether each is within a circle: no line separates them.
struct Points {
  std::vector<float> places;
  std::vector<std::int32_t> labels;

  explicit Points(std::uint64_t seed) {
    Random random(seed, 0, 0, Purpose::synthetic);
    for (std::int64_t i = 0; i < kPoints; ++i) {
      const double x = random.uniform(-1, 1), y = random.uniform(-1, 1);
      places.push_back(static_cast<float>(x));
      places.push_back(static_cast<float>(y));
      labels.push_back(std::hypot(x, y) < 0.7 ? 1 : 0);
    }
  }
  [[nodiscard]] nn::Batch batch() const {
    return {.input = {std::span<const float>(places), {kPoints, 2}},
            .labels = {std::span<const std::int32_t>(labels), {kPoints}},
            .samples = kPoints};
  }
};

int main() {
  // First: is gradient() the derivative of value()? This compares it with finite differences.
  const double error = nn::check_gradients(Mish{}, {4, 4, 3}).largest_error;
  std::cout << "largest error of a gradient: " << error << '\n';

  const nn::Model model = nn::ModelBuilder("ring", {2})
                              .dense(16)
                              .add(Mish{})
                              .dense(16)
                              .add(Mish{})
                              .dense(1)
                              .sigmoid()
                              .build();
  // On the CPU engine the layer's loops are the two formulas, in float.
  const auto engine = cpu::make_engine({.threads = 1});
  const auto executor =
      engine->compile(model, {.batch = kPoints, .optimizer = {.kind = nn::OptimizerKind::adam}});
  executor->allocate();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 1, weights);
  executor->write(nn::Arena::parameters, weights);

  const Points seen(1), unseen(2);
  for (int step = 1; step <= 400; ++step) executor->train(seen.batch(), step, 0.01);
  const double accuracy = executor->evaluate(unseen.batch()).accuracy();
  std::cout << "accuracy on new points: " << accuracy << '\n';

  // A file has only the layer's name. A program that does not know the name refuses the file, and
  // so does this one until the layer is registered.
  const std::string text = nn::to_json(model);
  bool was_refused = false;
  try {
    (void)nn::model_from_json(text);
  } catch (const Error& unknown) {
    was_refused = true;
    std::cout << "before it is registered: " << unknown.what() << '\n';
  }
  nn::register_layer_kind<Mish>();
  const bool is_same = nn::model_from_json(text) == model;
  std::cout << "after: " << (is_same ? "the same model\n" : "another model\n");
  return error < 1e-6 && accuracy > 0.95 && was_refused && is_same ? 0 : 1;
}

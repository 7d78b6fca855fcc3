#include <millrace/nn/initialize.h>

#include "catch.h"

#include <algorithm>
#include <cmath>

namespace {

using namespace millrace;
using namespace millrace::nn;

struct Moments {
  double lowest, highest, mean, deviation;
};

Moments moments(std::span<const float> values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += double{value};
    squares += double{value} * double{value};
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double mean = sum / count;
  return {double{*low}, double{*high}, mean, std::sqrt(squares / count - mean * mean)};
}

/// A 784 -> 500 layer, whose arena starts with the kernel and ends with the bias.
std::vector<float> dense_arena(Initializer initializer, std::uint64_t seed = 1) {
  const Model model = ModelBuilder("m", {784}).initializer(initializer).dense(500).build();
  std::vector<float> arena(static_cast<std::size_t>(arena_elements(parameters(model))));
  initialize(model, seed, arena);
  return arena;
}

constexpr std::size_t kKernel = 784 * 500;

TEST_CASE("PyTorch's initialiser draws kernel and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in))") {
  const std::vector<float> arena = dense_arena(Initializer::torch);
  const double bound = 0.0357142857;  // of Linear(784, 500)
  const Moments kernel = moments(std::span(arena).first(kKernel));
  CHECK(kernel.highest <= bound);
  CHECK(kernel.highest > 0.9999 * bound);
  CHECK(kernel.lowest >= -bound);
  CHECK(kernel.lowest < -0.9999 * bound);
  CHECK(std::abs(kernel.mean) < 4 * bound / std::sqrt(3.0 * kKernel));  // four standard errors
  CHECK(kernel.deviation == Approx(bound / std::sqrt(3.0)).epsilon(0.005));
  const Moments bias = moments(std::span(arena).subspan(kKernel, 500));
  CHECK(bias.highest <= bound);
  CHECK(bias.deviation == Approx(bound / std::sqrt(3.0)).epsilon(0.1));
}

TEST_CASE("Keras's initialisers have the deviation of their formula, and biases of zero") {
  const auto [initializer, variance, is_normal] =
      GENERATE(table<Initializer, double, bool>({{Initializer::glorot_uniform, 2.0 / 1284, false},
                                                 {Initializer::glorot_normal, 2.0 / 1284, true},
                                                 {Initializer::he_uniform, 2.0 / 784, false},
                                                 {Initializer::he_normal, 2.0 / 784, true},
                                                 {Initializer::lecun_uniform, 1.0 / 784, false},
                                                 {Initializer::lecun_normal, 1.0 / 784, true}}));
  const std::vector<float> arena = dense_arena(initializer);
  const Moments kernel = moments(std::span(arena).first(kKernel));
  const double deviation = std::sqrt(variance);
  // Truncated normals end at two deviations of the uncut distribution.
  const double bound = is_normal ? 2 * deviation / 0.87962566103423978 : std::sqrt(3.0) * deviation;
  INFO(to_string(initializer));
  CHECK(kernel.deviation == Approx(deviation).epsilon(0.005));
  CHECK(std::abs(kernel.mean) < 4 * deviation / std::sqrt(double{kKernel}));
  CHECK(kernel.highest <= bound * (1 + 1e-7));
  CHECK(kernel.highest > 0.999 * bound);
  CHECK(kernel.lowest < -0.999 * bound);
  const Moments bias = moments(std::span(arena).subspan(kKernel));
  CHECK(bias.lowest == 0);
  CHECK(bias.highest == 0);
}

TEST_CASE("A batch norm starts as the identity") {
  const Model model = ModelBuilder("m", {3}).batch_norm().build();
  std::vector<float> arena(static_cast<std::size_t>(arena_elements(parameters(model))), 9.0F);
  initialize(model, 1, arena);
  for (const Parameter& parameter : parameters(model)) {
    const bool is_one = parameter.role == Role::gamma || parameter.role == Role::running_variance;
    for (std::size_t i = 0; i < 16; ++i) {  // the gap behind the three channels is zero
      CHECK(arena[static_cast<std::size_t>(parameter.offset) + i] ==
            (is_one && i < 3 ? 1.0F : 0.0F));
    }
  }
}

TEST_CASE("Initial values are a function of the seed") {
  CHECK(dense_arena(Initializer::he_normal, 5) == dense_arena(Initializer::he_normal, 5));
  CHECK(dense_arena(Initializer::he_normal, 5) != dense_arena(Initializer::he_normal, 6));
}

TEST_CASE("Freezing a layer changes the initial values of none") {
  Model model = ModelBuilder("m", {8}).dense(5).dense(4).build();
  const auto kernel = [&](const std::string& name) {
    std::vector<float> arena(static_cast<std::size_t>(arena_elements(parameters(model))));
    initialize(model, 3, arena);
    for (const Parameter& parameter : parameters(model)) {
      if (parameter.name != name) continue;
      const auto first = arena.begin() + parameter.offset;
      return std::vector<float>(first, first + parameter.shape.elements());
    }
    throw std::logic_error("no such parameter");
  };
  const auto first = kernel("dense1.weight");
  const auto second = kernel("dense2.weight");
  model.layers[0].trainable = false;
  CHECK(kernel("dense1.weight") == first);
  CHECK(kernel("dense2.weight") == second);
}

}  // namespace

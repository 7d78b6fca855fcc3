#include <millrace/nn/initialize.h>

#include <millrace/core/error.h>
#include <millrace/core/random.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::array<std::pair<Initializer, const char*>, 8> kInitializers{{
    {Initializer::glorot_uniform, "glorot_uniform"},
    {Initializer::glorot_normal, "glorot_normal"},
    {Initializer::he_uniform, "he_uniform"},
    {Initializer::he_normal, "he_normal"},
    {Initializer::lecun_uniform, "lecun_uniform"},
    {Initializer::lecun_normal, "lecun_normal"},
    {Initializer::torch, "torch"},
    {Initializer::zeros, "zeros"},
}};

/// The deviation of a normal distribution cut at two deviations is this much of the uncut one's.
constexpr double kTruncatedDeviation = 0.87962566103423978;

void fill_uniform(std::span<float> values, double bound, Random random) {
  for (float& value : values) value = static_cast<float>(random.uniform(-bound, bound));
}

void fill_truncated_normal(std::span<float> values, double deviation, Random random) {
  const double uncut = deviation / kTruncatedDeviation;
  for (float& value : values) {
    double draw = random.normal();
    while (std::abs(draw) > 2) draw = random.normal();
    value = static_cast<float>(uncut * draw);
  }
}

/// Kernels and, for `torch`, biases. A uniform distribution on (-L, L) has variance L^2 / 3.
void fill(std::span<float> values, Initializer initializer, double fan_in, double fan_out,
          Random random) {
  switch (initializer) {
    case Initializer::glorot_uniform:
      return fill_uniform(values, std::sqrt(6 / (fan_in + fan_out)), random);
    case Initializer::glorot_normal:
      return fill_truncated_normal(values, std::sqrt(2 / (fan_in + fan_out)), random);
    case Initializer::he_uniform: return fill_uniform(values, std::sqrt(6 / fan_in), random);
    case Initializer::he_normal:
      return fill_truncated_normal(values, std::sqrt(2 / fan_in), random);
    case Initializer::lecun_uniform: return fill_uniform(values, std::sqrt(3 / fan_in), random);
    case Initializer::lecun_normal:
      return fill_truncated_normal(values, std::sqrt(1 / fan_in), random);
    case Initializer::torch: return fill_uniform(values, 1 / std::sqrt(fan_in), random);
    case Initializer::zeros: return;
  }
}

}  // namespace

const char* to_string(Initializer initializer) noexcept {
  for (const auto& [value, name] : kInitializers) {
    if (value == initializer) return name;
  }
  return "?";
}

Initializer initializer_named(std::string_view name) {
  std::string known;
  for (const auto& [value, known_name] : kInitializers) {
    if (name == known_name) return value;
    known += known.empty() ? "" : ", ";
    known += known_name;
  }
  throw UsageError(concat("unknown initializer '", name, "'; known: ", known));
}

void initialize(const Model& model, std::uint64_t seed, std::span<float> arena) {
  const std::vector<Parameter> all = parameters(model);
  MILLRACE_CHECK(static_cast<std::int64_t>(arena.size()) == arena_elements(all),
                 "the arena of this model has ", arena_elements(all), " elements, not ",
                 arena.size());
  std::fill(arena.begin(), arena.end(), 0.0F);
  for (const Parameter& parameter : all) {
    const auto values = arena.subspan(static_cast<std::size_t>(parameter.offset),
                                      static_cast<std::size_t>(parameter.shape.elements()));
    const auto layer = static_cast<std::size_t>(parameter.layer);
    const Initializer initializer = model.layers[layer].initializer;
    const bool is_drawn = parameter.role == Role::kernel ||
                          (parameter.role == Role::bias && initializer == Initializer::torch);
    std::fill(values.begin(), values.end(), parameter.first);
    if (!is_drawn) continue;
    const Random random(seed, 0, layer * 8 + static_cast<std::size_t>(parameter.role),
                        Purpose::initialise);
    fill(values, initializer, static_cast<double>(parameter.fan_in),
         static_cast<double>(parameter.fan_out), random);
  }
}

}  // namespace millrace::nn

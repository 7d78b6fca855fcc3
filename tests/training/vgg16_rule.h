#pragma once
// Weights and images made by the rule of tests/reference/record_vgg16.py, and what it recorded.

#include <millrace/io/safetensors.h>
#include <millrace/nn/zoo/vgg.h>

#include <nlohmann/json.hpp>

#include "nn/rule.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace millrace::test {

/// An arena of VGG16's parameters. `output_scale` is that of the last layer.
inline std::vector<float> rule_weights(const nn::Model& model, std::uint32_t seed,
                                       double output_scale) {
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (std::uint32_t tensor = 0; tensor < parameters.size(); ++tensor) {
    const nn::Parameter& p = parameters[tensor];
    double limit =
        p.role == nn::Role::kernel ? std::sqrt(6.0 / static_cast<double>(p.fan_in)) : 0.1;
    if (p.name.starts_with("classifier.6")) limit *= output_scale;
    for (std::uint32_t i = 0; i < p.shape.elements(); ++i) {
      const double value = unit(seed, tensor, i) * limit;
      arena[static_cast<std::size_t>(p.offset) + i] = static_cast<float>(value);
    }
  }
  return arena;
}

inline std::vector<std::uint8_t> rule_images(std::uint32_t seed, std::size_t bytes) {
  std::vector<std::uint8_t> pixels(bytes);
  for (std::uint32_t i = 0; i < bytes; ++i) {
    pixels[i] = static_cast<std::uint8_t>(mixed(seed, 1000, i) >> 24);
  }
  return pixels;
}

/// VGG16's features under torchvision's names, with the weights of a rule.
inline std::filesystem::path write_vgg16(const std::filesystem::path& path) {
  const nn::Model model = nn::vgg16({32, 32, 3}, 0);
  const std::vector<float> arena = rule_weights(model, 3, 1);
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(arena).subspan(static_cast<std::size_t>(p.offset),
                                                static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(path, tensors);
  return path;
}

inline nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

/// The largest difference, as a fraction of the largest expected value.
inline double relative_difference(std::span<const float> values, std::span<const float> expected) {
  double difference = values.size() == expected.size() ? 0 : INFINITY, largest = 0;
  for (std::size_t i = 0; i < values.size() && i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(double{values[i]} - double{expected[i]}));
    largest = std::max(largest, std::abs(double{expected[i]}));
  }
  return difference / largest;
}

}  // namespace millrace::test

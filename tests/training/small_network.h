#pragma once
// The network of tests/reference/record_keras_weights.py, the files that were recorded of it, and
// what tests of pretrained weights ask of them.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/core/error.h>
#include <millrace/io/safetensors.h>
#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/model.h>
#include <millrace/training/pretrained.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

inline const std::string kFolder = MILLRACE_TEST_DATA "/io/weights/";

/// The network of tests/reference/record_keras_weights.py, with `classes` outputs.
inline nn::Model small_network(std::int64_t classes = 3, std::int64_t size = 8) {
  nn::ModelBuilder builder("small", {size, size, 3});
  builder.conv(4, 3, nn::Padding::same).relu().batch_norm({.epsilon = 1e-3F}).max_pool().conv(5);
  return builder.flatten().dense(6).relu().dense(classes).softmax().build();
}

inline std::vector<float> loaded(const Pretrained& weights, const nn::Model& model,
                                 float before = 0) {
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))),
                           before);
  weights.load(arena);
  return arena;
}

inline std::string error_of_file(const std::filesystem::path& path, const nn::Model& model) {
  const std::string error = error_of([&] { Pretrained weights(path, model); });
  return error.starts_with(path.string()) ? error.substr(path.string().size()) : "?" + error;
}

/// A file of PyTorch's with zeros.
inline std::filesystem::path write_torch(
    const Scratch& scratch, const std::vector<std::pair<std::string, Shape>>& tensors) {
  std::vector<std::vector<float>> values;
  std::vector<NamedTensor> named;
  for (const auto& [name, shape] : tensors) {
    values.emplace_back(static_cast<std::size_t>(shape.elements()));
    named.push_back({name, shape, values.back()});
  }
  write_safetensors(scratch / "torch.safetensors", named);
  return scratch / "torch.safetensors";
}

}  // namespace millrace::test

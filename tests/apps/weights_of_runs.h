#pragma once
// Weight files that tests of transfer learning begin with, and what is in one.

#include "apps/train_run.h"

#include <millrace/io/safetensors.h>

#include <filesystem>
#include <string>
#include <vector>

namespace millrace::test {

inline const std::string kKeras = MILLRACE_TEST_DATA "/io/weights/";

/// Values of a tensor of a model file.
inline std::vector<float> tensor(const std::filesystem::path& file, const std::string& name) {
  const SafetensorsFile weights(file);
  const auto* found = weights.find(name);
  REQUIRE(found != nullptr);
  std::vector<float> values(static_cast<std::size_t>(found->shape.elements()));
  weights.read(name, values);
  return values;
}

/// A model that was trained on three classes; its run directory.
inline std::filesystem::path first_run(const Scratch& scratch) {
  const std::filesystem::path data = write_classes(scratch / "three", {"a", "b", "c"}, 8, 20);
  trained(data, scratch / "first", {"--model", "cnn:4,6:8", "--epochs", "1", "--batch", "8"});
  return scratch / "first/model.safetensors";
}

}  // namespace millrace::test

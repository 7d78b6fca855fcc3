#pragma once
// Models as the ONNX graphs that they become, read back from their files.

#include <millrace/nn/layers/kinds.h>
#include <millrace/training/export_onnx.h>

#include <string>
#include <type_traits>

#include "catch.h"
#include "engines/compare.h"
#include "io/onnx_message.h"
#include "io/scratch.h"

namespace millrace::test {

inline onnx::ModelProto exported(const nn::Model& model, const OnnxOptions& options = {}) {
  const Scratch scratch;
  const SavedModel saved{model, random_weights(model, 5)};
  export_onnx(scratch / "model.onnx", saved, options);
  onnx::ModelProto read = read_onnx(scratch / "model.onnx");
  INFO(model.name);
  CHECK(names_problem(read) == "");
  return read;
}

inline std::string metadata(const onnx::ModelProto& model, const std::string& key) {
  for (const auto& entry : model.metadata_props()) {
    if (entry.key() == key) return entry.value();
  }
  return {};
}

template <class Kind>
onnx::ModelProto exported_kind(int opset = kUsualOpset) {
  nn::LayerKind kind = Kind{};
  if constexpr (std::is_same_v<Kind, nn::Conv2D>) kind = nn::Conv2D{.filters = 3};
  if constexpr (std::is_same_v<Kind, nn::Dense>) kind = nn::Dense{.units = 3};
  nn::ModelBuilder builder("m", {12, 12, 2});
  if (kind.is<nn::Dense>()) builder.flatten();
  if (Kind::kFacts.least_inputs > 1) {
    builder.branches({[](auto& b) { b.relu(); }, [](auto& b) { b.tanh(); }});
  }
  return exported(builder.add(kind).named("mine").build(), {.opset = opset});
}

}  // namespace millrace::test

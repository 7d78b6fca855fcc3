// Dense layers and those that scale channels. Images have their channels first in the graph.

#include <millrace/training/onnx/translation.h>

namespace millrace::onnx_export {
namespace {

using Ints = std::vector<std::int64_t>;
using nn::Role;

constexpr int kFirstLayerNorm = 17;

}  // namespace

std::string translate(const nn::Dense& kind, LayerTranslation& layer) {
  Values inputs{layer.x(), layer.parameter(Role::kernel)};
  if (kind.bias) inputs.push_back(layer.parameter(Role::bias));
  return layer.node_of("Gemm", std::move(inputs), {{"transB", std::int64_t{1}}});
}

std::string translate(const nn::BatchNorm& kind, LayerTranslation& layer) {
  Values inputs{layer.x()};
  for (const Role role : {Role::gamma, Role::beta, Role::running_mean, Role::running_variance}) {
    inputs.push_back(layer.parameter(role));
  }
  return layer.node_of("BatchNormalization", std::move(inputs), {{"epsilon", kind.epsilon}});
}

std::string translate(const nn::LayerNorm& kind, LayerTranslation& layer) {
  if (layer.opset() < kFirstLayerNorm) layer.refuse("layer_norm needs --opset 17 or later");
  std::string x = layer.x();
  if (layer.is_image()) {
    x = layer.part("channels_last", "Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  }
  const std::string weight = layer.parameter(Role::gamma), bias = layer.parameter(Role::beta);
  const std::string y = layer.node_of("LayerNormalization", {x, weight, bias},
                                      {{"axis", std::int64_t{-1}}, {"epsilon", kind.epsilon}});
  if (!layer.is_image()) return y;
  return layer.part("channels_first", "Transpose", {y}, {{"perm", Ints{0, 3, 1, 2}}});
}

std::string translate(const nn::Scale&, LayerTranslation& layer) {
  const std::string weight = layer.parameter(Role::gamma, layer.by_channel());
  return layer.node_of("Mul", {layer.x(), weight});
}

}  // namespace millrace::onnx_export

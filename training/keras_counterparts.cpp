#include <millrace/training/keras_counterparts.h>

#include <millrace/nn/layers/kinds.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace millrace {
namespace {

/// Names of classes in lower case and without lines, as both "conv2d_transpose" and
/// "Conv2DTranspose" give them. The first ones have kernels of the shapes of ours.
constexpr std::array<std::string_view, 25> kForeign{"conv2dtranspose",
                                                    "separableconv2d",
                                                    "embedding",
                                                    "einsumdense",
                                                    "rescaling",
                                                    "normalization",
                                                    "unitnormalization",
                                                    "prelu",
                                                    "leakyrelu",
                                                    "elu",
                                                    "thresholdedrelu",
                                                    "gelu",
                                                    "add",
                                                    "subtract",
                                                    "multiply",
                                                    "average",
                                                    "maximum",
                                                    "minimum",
                                                    "concatenate",
                                                    "dot",
                                                    "upsampling2d",
                                                    "zeropadding2d",
                                                    "cropping2d",
                                                    "permute",
                                                    "globalmaxpooling2d"};

bool is_foreign(std::string_view kind) {
  return std::find(kForeign.begin(), kForeign.end(), plain_kind(kind)) != kForeign.end();
}

/// By its class, or by the name that Keras 2 gives its kernel.
bool is_told_depthwise(const WeightFile& file, const WeightFile::Layer& layer) {
  const std::string& kernel = file.tensors()[layer.tensors.front()].name;
  return plain_kind(layer.kind) == "depthwiseconv2d" ||
         kernel.find("depthwise_kernel") != std::string::npos;
}

/// Whether a layer that is not used changes what a layer that is used gets.
bool comes_before(const WeightFile& file, std::size_t layer, LayerClass kind,
                  const std::set<std::size_t>& used) {
  if (file.is_in_order()) return !used.empty() && layer < *used.rbegin();
  if (kind == LayerClass::dense) return false;  // a top that was cut off
  const bool is_dense_used = std::any_of(used.begin(), used.end(), [&](std::size_t one) {
    return class_of(file, file.layers()[one]) == LayerClass::dense;
  });
  return (kind != LayerClass::convolution && kind != LayerClass::depthwise) || is_dense_used;
}

}  // namespace

std::string plain_kind(std::string_view kind) {
  std::string result;
  for (const char c : kind) {
    if (c != '_') result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

LayerClass class_of(const nn::Layer& layer) {
  if (layer.kind.is<nn::Conv2D>()) return LayerClass::convolution;
  if (layer.kind.is<nn::Dense>()) return LayerClass::dense;
  return layer.kind.is<nn::BatchNorm>() ? LayerClass::batch_norm : LayerClass::weightless;
}

LayerClass class_of(const WeightFile& file, const WeightFile::Layer& layer) {
  if (is_foreign(layer.kind)) return LayerClass::foreign;
  if (layer.tensors.empty()) return LayerClass::weightless;
  const auto rank = [&](std::size_t tensor) {
    return file.tensors()[layer.tensors[tensor]].shape.rank();
  };
  const std::size_t count = layer.tensors.size();
  const bool is_kernel_and_bias = count == 1 || (count == 2 && rank(1) == 1);
  if (is_kernel_and_bias && rank(0) == 4) {
    return is_told_depthwise(file, layer) ? LayerClass::depthwise : LayerClass::convolution;
  }
  if (is_kernel_and_bias && rank(0) == 2) return LayerClass::dense;
  const bool is_norm = count == 4 && rank(0) == 1 && rank(1) == 1 && rank(2) == 1 && rank(3) == 1;
  return is_norm ? LayerClass::batch_norm : LayerClass::foreign;
}

bool is_depthwise(const nn::Parameter& parameter) {
  return parameter.role == nn::Role::kernel && parameter.groups > 1 && parameter.shape[1] == 1;
}

Shape keras_depthwise_shape(const nn::Parameter& parameter) {
  const Shape& s = parameter.shape;
  return {s[2], s[3], parameter.groups, s[0] / parameter.groups};
}

Shape keras_shape(const nn::Parameter& parameter) {
  const Shape& s = parameter.shape;
  if (s.rank() == 4) return {s[2], s[3], s[1], s[0]};
  return s.rank() == 2 ? Shape{s[1], s[0]} : s;
}

std::vector<std::string> without_counterpart(const WeightFile& file,
                                             const std::set<std::size_t>& used,
                                             const std::set<std::size_t>& ignored,
                                             const std::set<std::string>& expected) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < file.layers().size(); ++i) {
    const LayerClass kind = class_of(file, file.layers()[i]);
    if (kind == LayerClass::weightless || used.contains(i) || ignored.contains(i)) continue;
    const WeightFile::Layer& layer = file.layers()[i];
    if (layer.tensors.empty() && expected.contains(plain_kind(layer.kind))) continue;
    if (comes_before(file, i, kind, used)) names.push_back(layer.name);
  }
  return names;
}

}  // namespace millrace

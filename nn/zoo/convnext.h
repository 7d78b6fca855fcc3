#pragma once
// ConvNeXt-T of Liu et al. (arXiv 2201.03545) as torchvision builds it, with its names.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// For images {height, width, channels} of at least 32x32 pixels: a 4x4 convolution of stride 4
/// ("features.0"), four stages of 3, 3, 9 and 3 blocks ("features.1.0" to "features.7.2"), each
/// but the first after a layer norm and a 2x2 convolution of stride 2 ("features.2", ...), global
/// average pooling, a layer norm ("classifier.0") and dense `outputs` ("classifier.2"; 1 ends in a
/// sigmoid, more in a softmax). A block is a depthwise 7x7 convolution, a layer norm, 1x1
/// convolutions to four times the channels and back with GELU between, a factor a channel
/// ("features.1.0.layer_scale") that begins at 1e-6, and the sum of its input. Stochastic depth has
/// rates from 0 to 0.1. With `outputs` 0 the model ends before the pooling.
///
/// Keras's network is the same one, without stochastic depth; ZooOptions::keras is without effect.
/// Throws Error for what is no image, or is too small.
[[nodiscard]] Model convnext_tiny(const Shape& input, std::int64_t outputs,
                                  const ZooOptions& options = {});

/// Keras's name of a layer with weights, "convnext_tiny_stage_0_block_0_depthwise_conv" for
/// "features.1.0.block.0"; empty for others.
[[nodiscard]] std::string convnext_tiny_keras_name(std::string_view layer);

/// torchvision's tensor of a parameter: the factors of "features.1.0.layer_scale" are of that name,
/// [C][1][1], and 1x1 convolutions of a block are dense layers, [out][in].
[[nodiscard]] TorchTensor convnext_tiny_torch_tensor(const Parameter& parameter);

}  // namespace millrace::nn

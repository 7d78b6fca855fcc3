#pragma once
// MobileNetV2 of Sandler et al. (arXiv 1801.04381) as torchvision builds it, with its names.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// For images {height, width, channels} of any size: a 3x3 convolution of stride 2 ("features.0"),
/// 17 inverted residual blocks ("features.1" to "features.17"), a 1x1 convolution ("features.18"),
/// global average pooling, dropout of 0.2 and dense `outputs` ("classifier.1"; 1 ends in a sigmoid,
/// more in a softmax). With `outputs` 0 the model ends before the pooling. ZooOptions::width is
/// the factor of all channels but the last 1280, which it only widens.
///
/// ZooOptions::keras makes Keras's of it: an odd pixel of padding is at the end (TensorFlow's
/// "same") instead of one pixel on each side; batch norm's epsilon is 1e-3 and its momentum 0.999;
/// there is no dropout; channels times width are rounded down first. Throws UsageError for a width
/// that is not positive, Error for what is no image.
[[nodiscard]] Model mobilenet_v2(const Shape& input, std::int64_t outputs,
                                 const ZooOptions& options = {});

/// Keras's name of a layer with weights, "block_1_expand" for "features.2.conv.0.0"; empty for
/// others.
[[nodiscard]] std::string mobilenet_v2_keras_name(std::string_view layer);

}  // namespace millrace::nn

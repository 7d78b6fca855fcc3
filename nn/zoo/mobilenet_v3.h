#pragma once
// MobileNetV3 of Howard et al. (arXiv 1905.02244) as torchvision builds it, with its names.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// "mobilenet_v3_small" or "mobilenet_v3_large" for images {height, width, channels} of any size: a
/// 3x3 convolution of stride 2 ("features.0"), inverted residual blocks, most with gates
/// ("features.1", ...), a 1x1 convolution, global average pooling, dense 1024 or 1280 with hard
/// swish ("classifier.0"), dropout of 0.2 and dense `outputs` ("classifier.3"; 1 ends in a sigmoid,
/// more in a softmax). Batch norm's epsilon is 1e-3 and its momentum 0.99. With `outputs` 0 the
/// model ends before the pooling.
///
/// ZooOptions::keras makes Keras's of it: an odd pixel of padding is at the end (TensorFlow's
/// "same") instead of half of the window on each side, batch norm's momentum is 0.999, and the two
/// dense layers are 1x1 convolutions of the pooled image. Its first layer, which scales pixels, is
/// not there: that is preprocessing here. Throws UsageError for another name, Error for what is no
/// image.
[[nodiscard]] Model mobilenet_v3(std::string_view name, const Shape& input, std::int64_t outputs,
                                 const ZooOptions& options = {});

/// Keras's name of a layer of `network` with weights, "expanded_conv_1_expand" for
/// "features.2.block.0.0"; empty for others.
[[nodiscard]] std::string mobilenet_v3_keras_name(std::string_view network, std::string_view layer);

}  // namespace millrace::nn

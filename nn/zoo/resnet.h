#pragma once
// ResNets of He et al. (arXiv 1512.03385), version 1.5 as torchvision builds them, with its names.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// "resnet18", "resnet34" or "resnet50" for images {height, width, channels} of any size: a 7x7
/// convolution and a pooling, each of stride 2, four stages of residual blocks ("layer1.0", ...),
/// global average pooling, and dense `outputs` ("fc"; 1 ends in a sigmoid, more in a softmax). With
/// `outputs` 0 the model ends before the pooling. There is no dropout.
///
/// ZooOptions::keras makes Keras's ResNet50 of resnet50: the stride of a block is that of its first
/// convolution, 1x1, instead of its second, 3x3; convolutions have biases; batch norm's epsilon is
/// 1.001e-5 and its momentum 0.99. Keras has no resnet18 and resnet34. Throws UsageError for those,
/// and for another name; Error for what is no image.
[[nodiscard]] Model resnet(std::string_view name, const Shape& input, std::int64_t outputs,
                           const ZooOptions& options = {});

/// Keras's name of a layer of resnet50 with weights, "conv2_block1_1_conv" for "layer1.0.conv1";
/// empty for others.
[[nodiscard]] std::string resnet_keras_name(std::string_view layer);

}  // namespace millrace::nn

#pragma once
// Models by name, for the command line.

#include <millrace/nn/model.h>

#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

/// "mlp:500,100"        flatten, dense layers of these widths with ReLU, dense output
/// "cnn"                the small Keras convnet: 3x3 convolutions 32-64-128-128, ReLU and 2x2 max
///                      pooling after each, flatten, dense 512 with ReLU, dense output
/// "cnn:16,32:64"       the same with other widths: convolutions before the colon, dense after it
/// "vgg16"              VGG16 as Keras has it (vgg.h); "vgg16:dropout" with torchvision's dropout
/// "cnn:16,32:64:0.3"   the same with dropout of this rate before each dense layer, the last
/// included `outputs` 1 ends in a sigmoid, more in a softmax. Input: {height, width, channels} or
/// {features} (mlp only). Throws UsageError that lists the known names.
[[nodiscard]] Model zoo_model(std::string_view spec, Shape input, std::int64_t outputs,
                              Initializer initializer = Initializer::glorot_uniform);

/// A line a model, for --help.
[[nodiscard]] std::vector<std::string> zoo_help();

/// Keras's name of a layer with weights of the network `spec`; empty where Keras does not have the
/// network, or the layer.
[[nodiscard]] std::string zoo_keras_name(std::string_view spec, std::string_view layer);

}  // namespace millrace::nn

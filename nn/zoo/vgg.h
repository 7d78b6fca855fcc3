#pragma once
// The VGGs of Simonyan and Zisserman (arXiv 1409.1556, configurations A, B, D, E) as Keras builds
// them, with torchvision's names of layers, so that weight files of both can be loaded
// (training/pretrained.h).

#include <millrace/nn/model.h>

#include <string>
#include <string_view>

namespace millrace::nn {

struct VggOptions {
  /// Dropout of 0.5 after the two hidden dense layers, as torchvision trains. Keras has none. It
  /// changes no name and no weight.
  bool dropout = false;
  Initializer initializer = Initializer::glorot_uniform;
};

/// "vgg11", "vgg13", "vgg16" or "vgg19", and "vgg11_bn" to "vgg19_bn" with a batch norm after each
/// convolution, which Keras does not have: 8, 10, 13 or 16 3x3 convolutions in five blocks, each
/// block ended by 2x2 max pooling, then dense 4096, 4096 and `outputs` (1 ends in a sigmoid, more
/// in a softmax). Input {height, width, channels}, at least 32x32; the width of the first dense
/// layer follows from it: torchvision's pooling to 7x7, which changes nothing at 224x224, is not
/// there. Layers are named features.0 to features.30 (of vgg16), flatten, classifier.0 to
/// classifier.6. With `outputs` 0 the model ends at the last pooling, what Keras calls
/// include_top=False. Throws UsageError, also for another name.
[[nodiscard]] Model vgg(std::string_view name, const Shape& input, std::int64_t outputs,
                        const VggOptions& options = {});
[[nodiscard]] Model vgg16(const Shape& input, std::int64_t outputs, const VggOptions& options = {});

/// Keras's name of a layer with weights of `network`, "vgg16" or "vgg19": "block1_conv1" for
/// "features.0", "fc1" for "classifier.0"; empty for others, and for networks that Keras lacks.
[[nodiscard]] std::string vgg_keras_name(std::string_view network, std::string_view layer);
[[nodiscard]] std::string vgg16_keras_name(std::string_view layer);

}  // namespace millrace::nn

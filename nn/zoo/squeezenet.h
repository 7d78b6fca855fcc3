#pragma once
// SqueezeNet 1.1 of Iandola et al. (arXiv 1602.07360) as torchvision builds it, with its names.

#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// For images {height, width, channels} of at least 17x17 pixels: a 3x3 convolution of stride 2
/// ("features.0"), eight fire modules ("features.3" to "features.12") and three poolings; then
/// dropout of 0.5, a 1x1 convolution to `outputs` ("classifier.1"), ReLU, the mean of each channel,
/// and a softmax. One output ends in a sigmoid, without the ReLU, after which no probability could
/// be below a half. With `outputs` 0 the model ends at features.12, the part that a new head
/// stands on.
///
/// ZooOptions::keras makes the network of Keras's users' files (groups fire2/squeeze1x1, ...,
/// conv10; keras.applications has none): its poolings leave out a last window that goes past the
/// image, so that at 227x227 and many other sizes the outputs differ. Throws Error for what is no
/// image, or is too small.
[[nodiscard]] Model squeezenet1_1(const Shape& input, std::int64_t outputs,
                                  const ZooOptions& options = {});

/// Name of a layer with weights in those files, "fire2/squeeze1x1" for "features.3.squeeze"; empty
/// for others.
[[nodiscard]] std::string squeezenet1_1_keras_name(std::string_view layer);

}  // namespace millrace::nn

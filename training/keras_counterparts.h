#pragma once
// Which layers of a Keras file have a counterpart in Millrace's models, and what happens to the
// others: leaving out a normalisation would change outputs without any sign.

#include <millrace/io/weight_file.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// The classes of layers that Keras files are matched by.
enum class LayerClass : std::uint8_t {
  convolution,
  depthwise,  ///< a convolution whose kernel is [rows][columns][channels][filters a channel]
  dense,
  batch_norm,
  weightless,  ///< pooling, dropout, ...: nothing to load
  foreign,     ///< what our models do not have, with weights (PReLU) or without (LeakyReLU)
};

/// The name of a class in lower case and without lines: "zeropadding2d" of "ZeroPadding2D" and of
/// "zero_padding2d".
[[nodiscard]] std::string plain_kind(std::string_view kind);

[[nodiscard]] LayerClass class_of(const nn::Layer& layer);
/// By the weights; those of other layers that look alike (transposed convolutions, embeddings) and
/// layers without weights by the class that the file gives, or the name that Keras gives.
[[nodiscard]] LayerClass class_of(const WeightFile& file, const WeightFile::Layer& layer);

/// Whether the parameter is the kernel of a convolution whose filters read a channel each.
[[nodiscard]] bool is_depthwise(const nn::Parameter& parameter);
/// Keras's shape of one of our parameters; of a depthwise kernel that of Conv2D's with as many
/// groups.
[[nodiscard]] Shape keras_shape(const nn::Parameter& parameter);
/// The shape that DepthwiseConv2D has for a depthwise kernel. Both have the same numbers in the
/// same order.
[[nodiscard]] Shape keras_depthwise_shape(const nn::Parameter& parameter);

/// Layers of a Keras file that come, or may come, before one that is used, though they are not used
/// themselves. `used` and `ignored` hold indices into file.layers(), `expected` classes
/// (plain_kind()) of layers without weights that the model has too.
[[nodiscard]] std::vector<std::string> without_counterpart(const WeightFile& file,
                                                           const std::set<std::size_t>& used,
                                                           const std::set<std::size_t>& ignored,
                                                           const std::set<std::string>& expected);

}  // namespace millrace

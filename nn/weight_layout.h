#pragma once
// The order of weights in other libraries, and their places in Millrace's: dense [out][in],
// convolution [out][in][rows][columns], the inputs after a flatten as [row][column][channel].

#include <millrace/nn/model.h>

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::nn {

/// same            ours
/// keras_kernel    Keras's kernels: [rows][columns][in][out] or [in][out]; in: of a group
/// channels_first  ours, but the last dimension is a flattened image as PyTorch flattens it,
///                 [channel][row][column]
enum class WeightOrder { same, keras_kernel, channels_first };

/// How a tensor of a file is laid out.
struct WeightLayout {
  WeightOrder order = WeightOrder::same;
  Shape shape{};  ///< keras_kernel: of the file's tensor, as Conv2D or Dense would have it
  Shape image{};  ///< channels_first: {height, width, channels}
};

/// Puts the elements [first, first + part.size()) of such a tensor to their places in `whole`, all
/// of ours. Requires: for keras_kernel, `first` and the size of the part are multiples of [out].
void place(const WeightLayout& layout, std::int64_t first, std::span<const float> part,
           std::span<float> whole);

/// All of our elements in the order of channels_first, for writing.
[[nodiscard]] std::vector<float> to_channels_first(const Shape& image, std::span<const float> ours);

/// One shape a layer: of the image whose flattened pixels its parameters belong to, so that their
/// order differs between libraries; without dimensions for other layers, and for one pixel. These
/// are dense layers and batch norms after flatten, with only activations and dropout between.
[[nodiscard]] std::vector<Shape> flattened_images(const Model& model);

/// Throws Error that names the first layer with parameters whose inputs are a flattened image in
/// part: a concat of flattened branches. Their order in PyTorch is not worked out.
void require_known_order(const Model& model);

}  // namespace millrace::nn

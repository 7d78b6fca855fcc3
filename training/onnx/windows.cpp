// Convolution and pooling.

#include <millrace/training/onnx/translation.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace millrace::onnx_export {
namespace {

using Ints = std::vector<std::int64_t>;

Ints ints(const nn::Pair& pair) {
  return {pair.rows, pair.columns};
}

/// Pixels beyond the ends of one side of an image.
struct Ends {
  std::int64_t before = 0, after = 0;
  std::int64_t beyond = 0;  ///< past those of the padding: Window::beyond
};

/// Those that the windows of a pooling need, so that there are as many in the graph: ONNX rounds
/// down, and what ceil adds is padding here.
Ends ends_of(const nn::Window& window, std::int64_t extent, std::int64_t size, std::int64_t stride,
             bool ceil) {
  if (!ceil) return {window.before, window.after};
  const std::int64_t end = (window.output - 1) * stride + size - window.before;
  return {.before = window.before,
          .after = std::max<std::int64_t>(end - extent, 0) - window.beyond,
          .beyond = window.beyond};
}

Ints all_pads(const Ends& down, const Ends& across) {
  return {down.before, across.before, down.after + down.beyond, across.after + across.beyond};
}

struct PoolEnds {
  Ends down, across;
};
PoolEnds ends_of(const nn::SlidingWindow& window, const Shape& image) {
  const auto [rows, columns] = place(window, image[0], image[1]);
  return {ends_of(rows, image[0], window.size.rows, window.stride.rows, window.ceil),
          ends_of(columns, image[1], window.size.columns, window.stride.columns, window.ceil)};
}

Attributes pooling(const nn::Pair& size, const nn::Pair& stride, Ints pads) {
  return {{"kernel_shape", ints(size)}, {"strides", ints(stride)}, {"pads", std::move(pads)}};
}

/// [parts][extent], or its transpose: row i has the mean of part i.
std::vector<float> mean_matrix(const std::vector<nn::Stretch>& parts, std::int64_t extent,
                               bool transposed) {
  const auto count = static_cast<std::int64_t>(parts.size());
  std::vector<float> matrix(static_cast<std::size_t>(count * extent));
  for (std::int64_t i = 0; i < count; ++i) {
    const nn::Stretch& part = parts[static_cast<std::size_t>(i)];
    for (std::int64_t at = part.begin; at < part.end; ++at) {
      const std::int64_t place = transposed ? at * count + i : i * extent + at;
      matrix[static_cast<std::size_t>(place)] = 1.0F / static_cast<float>(part.count);
    }
  }
  return matrix;
}

}  // namespace

std::string translate(const nn::Conv2D& kind, LayerTranslation& layer) {
  const Shape& image = layer.shape();
  const auto [down, across] = place(kind.window(), image[0], image[1]);
  Values inputs{layer.x(), layer.parameter(nn::Role::kernel)};
  if (kind.bias) inputs.push_back(layer.parameter(nn::Role::bias));
  return layer.node_of("Conv", std::move(inputs),
                       {{"kernel_shape", Ints{kind.rows, kind.columns}},
                        {"strides", ints(kind.stride)},
                        {"dilations", ints(kind.dilation)},
                        {"group", kind.groups},
                        {"pads", Ints{down.before, across.before, down.after, across.after}}});
}

std::string translate(const nn::MaxPool2D& kind, LayerTranslation& layer) {
  const auto [down, across] = ends_of(kind.window(), layer.shape());
  return layer.node("MaxPool", pooling(kind.size, kind.stride, all_pads(down, across)));
}

std::string translate(const nn::AvgPool2D& kind, LayerTranslation& layer) {
  const auto [down, across] = ends_of(kind.window(), layer.shape());
  const bool goes_beyond = down.beyond > 0 || across.beyond > 0;
  std::string x = layer.x();
  Ints pads = all_pads(down, across);
  bool counts = kind.count_padding;
  // Padding counts, what lies past it does not: the first becomes pixels, the second padding.
  if (counts && goes_beyond) {
    const std::string zeros = layer.numbers(
        "pads", Ints{0, 0, down.before, across.before, 0, 0, down.after, across.after});
    x = layer.part("padded", "Pad", {x, zeros}, {{"mode", std::string("constant")}});
    pads = {0, 0, down.beyond, across.beyond};
    counts = false;
  }
  Attributes attributes = pooling(kind.size, kind.stride, std::move(pads));
  attributes.push_back({"count_include_pad", std::int64_t{counts}});
  return layer.node_of("AveragePool", {x}, std::move(attributes));
}

// Parts of one size are a pooling. Others are means along one side, then along the other, each a
// product with a constant matrix.
std::string translate(const nn::AdaptiveAvgPool& kind, LayerTranslation& layer) {
  const std::int64_t height = layer.shape()[0], width = layer.shape()[1];
  if (height % kind.rows == 0 && width % kind.columns == 0) {
    const nn::Pair size{height / kind.rows, width / kind.columns};
    return layer.node("AveragePool", pooling(size, size, {0, 0, 0, 0}));
  }
  const auto [rows, columns] = kind.parts(height, width);
  const std::string down =
      layer.numbers("row_means", {kind.rows, height}, mean_matrix(rows, height, false));
  const std::string across =
      layer.numbers("column_means", {width, kind.columns}, mean_matrix(columns, width, true));
  const std::string means = layer.part("rows", "MatMul", {down, layer.x()});
  return layer.node_of("MatMul", {means, across});
}

std::string translate(const nn::GlobalAvgPool&, LayerTranslation& layer) {
  const std::string means = layer.node("GlobalAveragePool");
  return layer.part("flatten", "Flatten", {means}, {{"axis", std::int64_t{1}}});
}

}  // namespace millrace::onnx_export

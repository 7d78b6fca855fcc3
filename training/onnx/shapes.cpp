// Layers that join values, or give them another form.

#include <millrace/training/onnx/translation.h>

namespace millrace::onnx_export {
namespace {

using Ints = std::vector<std::int64_t>;

constexpr std::int64_t kChannels = 1;  // the axis of channels, or of features

}  // namespace

std::string translate(const nn::Add&, LayerTranslation& layer) {
  return layer.node(layer.inputs().size() == 2 ? "Add" : "Sum");
}

std::string translate(const nn::Concat&, LayerTranslation& layer) {
  return layer.node("Concat", {{"axis", kChannels}});
}

std::string translate(const nn::Multiply&, LayerTranslation& layer) {
  if (layer.shape(0) == layer.shape(1)) return layer.node("Mul");
  const std::string axes = layer.numbers("axes", Ints{2, 3});
  const std::string factors = layer.part("factors", "Unsqueeze", {layer.inputs()[1], axes});
  return layer.node_of("Mul", {layer.x(), factors});
}

// Elements come out in our order, channels fastest, whatever reads them.
std::string translate(const nn::Flatten&, LayerTranslation& layer) {
  const Shape& shape = layer.shape();
  const bool is_reordered = layer.is_image() && shape[0] * shape[1] > 1 && shape[2] > 1;
  std::string x = layer.x();
  if (is_reordered) {
    x = layer.part("channels_last", "Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  }
  return layer.node_of("Flatten", {x}, {{"axis", std::int64_t{1}}});
}

std::string translate(const nn::Upsample& kind, LayerTranslation& layer) {
  const std::string scales = layer.numbers(
      "scales", {4}, {1, 1, static_cast<float>(kind.rows), static_cast<float>(kind.columns)});
  return layer.node_of("Resize", {layer.x(), "", scales},
                       {{"mode", std::string("nearest")},
                        {"coordinate_transformation_mode", std::string("asymmetric")},
                        {"nearest_mode", std::string("floor")}});
}

std::string translate(const nn::ZeroPadding& kind, LayerTranslation& layer) {
  const std::string pads =
      layer.numbers("pads", Ints{0, 0, kind.top, kind.left, 0, 0, kind.bottom, kind.right});
  return layer.node_of("Pad", {layer.x(), pads}, {{"mode", std::string("constant")}});
}

}  // namespace millrace::onnx_export

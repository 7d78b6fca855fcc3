// What works element by element, softmax, and what does nothing outside training.

#include <millrace/training/onnx/translation.h>

namespace millrace::onnx_export {
namespace {

constexpr int kFirstHardSwish = 14, kFirstGelu = 20;
constexpr float kSixth = 1.0F / 6.0F;
constexpr float kInverseRootOfTwo = 0.70710678118654752440F;

Attributes hard_sigmoid() {
  return {{"alpha", kSixth}, {"beta", 0.5F}};
}

}  // namespace

std::string translate(const nn::Relu&, LayerTranslation& layer) {
  return layer.node("Relu");
}

std::string translate(const nn::Relu6&, LayerTranslation& layer) {
  const std::string low = layer.number("min", 0), high = layer.number("max", 6);
  return layer.node_of("Clip", {layer.x(), low, high});
}

std::string translate(const nn::LeakyRelu& kind, LayerTranslation& layer) {
  return layer.node("LeakyRelu", {{"alpha", kind.negative_slope}});
}

std::string translate(const nn::Sigmoid&, LayerTranslation& layer) {
  return layer.node("Sigmoid");
}

std::string translate(const nn::Tanh&, LayerTranslation& layer) {
  return layer.node("Tanh");
}

std::string translate(const nn::Silu&, LayerTranslation& layer) {
  const std::string gate = layer.part("gate", "Sigmoid", {layer.x()});
  return layer.node_of("Mul", {layer.x(), gate});
}

// x (1 + erf(x / sqrt(2))) / 2
std::string translate(const nn::Gelu&, LayerTranslation& layer) {
  if (layer.opset() >= kFirstGelu)
    return layer.node("Gelu", {{"approximate", std::string("none")}});
  const std::string factor = layer.number("factor", kInverseRootOfTwo);
  const std::string scaled = layer.part("scaled", "Mul", {layer.x(), factor});
  const std::string erf = layer.part("erf", "Erf", {scaled});
  const std::string sum = layer.part("sum", "Add", {erf, layer.number("one", 1)});
  const std::string below = layer.part("below", "Mul", {sum, layer.number("half", 0.5F)});
  return layer.node_of("Mul", {layer.x(), below});
}

std::string translate(const nn::HardSigmoid&, LayerTranslation& layer) {
  return layer.node("HardSigmoid", hard_sigmoid());
}

std::string translate(const nn::HardSwish&, LayerTranslation& layer) {
  if (layer.opset() >= kFirstHardSwish) return layer.node("HardSwish");
  const std::string gate = layer.part("gate", "HardSigmoid", {layer.x()}, hard_sigmoid());
  return layer.node_of("Mul", {layer.x(), gate});
}

std::string translate(const nn::Softmax&, LayerTranslation& layer) {
  return layer.node("Softmax", {{"axis", std::int64_t{1}}});  // channels, or features
}

std::string translate(const nn::Dropout&, LayerTranslation& layer) {
  return layer.x();
}

std::string translate(const nn::StochasticDepth&, LayerTranslation& layer) {
  return layer.x();
}

}  // namespace millrace::onnx_export

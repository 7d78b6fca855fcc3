#include <millrace/core/error.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model.h>
#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace millrace::nn {
ModelBuilder::ModelBuilder(std::string name, Shape input) {
  model_.name = std::move(name);
  model_.input = input;
  model_.preprocessing = default_preprocessing(input);
}

ModelBuilder& ModelBuilder::add(LayerKind kind) {
  const LayerFacts& facts = kind.facts();
  const auto earlier = std::ranges::count_if(model_.layers, [&](const Layer& layer) {
    return layer.kind.facts().name == std::string_view(facts.name);
  });
  const bool follows =
      ends_.size() == 1 && !model_.layers.empty() && ends_.front() == model_.layers.back().name;
  if (follows) ends_.clear();
  model_.layers.push_back({.name = millrace::concat(facts.stem, earlier + 1),
                           .kind = std::move(kind),
                           .inputs = std::exchange(ends_, {})});
  if (facts.has_kernel) model_.layers.back().initializer = initializer_;
  return *this;
}

std::string ModelBuilder::end() const {
  if (ends_.size() > 1) {
    throw Error(millrace::concat("the model '", model_.name, "': ", ends_.size(),
                                 " branches end side by side; join them with add(), concat() or "
                                 "multiply()"));
  }
  if (!ends_.empty()) return ends_.front();
  return model_.layers.empty() ? std::string(kModelInput) : model_.layers.back().name;
}

ModelBuilder& ModelBuilder::branches(const std::vector<Branch>& branches) {
  const std::string begin = end();
  std::vector<std::string> ends;
  for (const Branch& branch : branches) {
    ends_ = {begin};
    branch(*this);
    ends.push_back(end());
  }
  ends_ = std::move(ends);
  return *this;
}

ModelBuilder& ModelBuilder::residual(const Branch& branch) {
  return residual(branch, [](ModelBuilder&) {});
}

ModelBuilder& ModelBuilder::residual(const Branch& branch, const Branch& shortcut) {
  return branches({branch, shortcut}).add();
}

ModelBuilder& ModelBuilder::inputs(std::vector<std::string> names) {
  MILLRACE_CHECK(!model_.layers.empty(), "inputs() are those of the last layer; there is none yet");
  model_.layers.back().inputs = std::move(names);
  return *this;
}

ModelBuilder& ModelBuilder::add() {
  return add(Add{});
}
ModelBuilder& ModelBuilder::concat() {
  return add(Concat{});
}
ModelBuilder& ModelBuilder::multiply() {
  return add(Multiply{});
}

ModelBuilder& ModelBuilder::dense(std::int64_t units, bool bias) {
  return add(Dense{.units = units, .bias = bias});
}

ModelBuilder& ModelBuilder::conv(std::int64_t filters, std::int64_t size, Padding padding,
                                 Pair stride, bool bias) {
  return add(Conv2D{.filters = filters,
                    .rows = size,
                    .columns = size,
                    .stride = stride,
                    .padding = padding,
                    .bias = bias});
}

ModelBuilder& ModelBuilder::conv(const Conv2D& options) {
  return add(options);
}

Shape ModelBuilder::shape_of_end() const {
  const std::string name = end();
  const std::vector<LayerShape> shapes = infer_shapes(model_);
  for (std::size_t i = shapes.size(); i-- > 0;) {
    if (model_.layers[i].name == name) return shapes[i].output;
  }
  return model_.input;
}

ModelBuilder& ModelBuilder::depthwise_conv(std::int64_t size, Padding padding, Pair stride,
                                           bool bias) {
  const Shape image = shape_of_end();
  if (image.rank() != 3) {
    throw Error(millrace::concat("the model '", model_.name,
                                 "': a depthwise convolution needs "
                                 "[height][width][channels], not ",
                                 image));
  }
  return add(Conv2D{.filters = image[2],
                    .rows = size,
                    .columns = size,
                    .stride = stride,
                    .padding = padding,
                    .bias = bias,
                    .groups = image[2]});
}

ModelBuilder& ModelBuilder::max_pool(Pair size, Pair stride) {
  return add(MaxPool2D{.size = size, .stride = stride == Pair(0) ? size : stride});
}
ModelBuilder& ModelBuilder::max_pool(const MaxPool2D& options) {
  return add(options);
}

ModelBuilder& ModelBuilder::avg_pool(Pair size, Pair stride) {
  return add(AvgPool2D{.size = size, .stride = stride == Pair(0) ? size : stride});
}
ModelBuilder& ModelBuilder::avg_pool(const AvgPool2D& options) {
  return add(options);
}

ModelBuilder& ModelBuilder::global_avg_pool() {
  return add(GlobalAvgPool{});
}
ModelBuilder& ModelBuilder::adaptive_avg_pool(std::int64_t rows, std::int64_t columns) {
  return add(AdaptiveAvgPool{.rows = rows, .columns = columns});
}
ModelBuilder& ModelBuilder::flatten() {
  return add(Flatten{});
}
ModelBuilder& ModelBuilder::relu() {
  return add(Relu{});
}
ModelBuilder& ModelBuilder::relu6() {
  return add(Relu6{});
}
ModelBuilder& ModelBuilder::leaky_relu(float negative_slope) {
  LeakyRelu kind;
  kind.negative_slope = negative_slope;
  return add(kind);
}
ModelBuilder& ModelBuilder::silu() {
  return add(Silu{});
}
ModelBuilder& ModelBuilder::gelu() {
  return add(Gelu{});
}
ModelBuilder& ModelBuilder::hard_swish() {
  return add(HardSwish{});
}
ModelBuilder& ModelBuilder::hard_sigmoid() {
  return add(HardSigmoid{});
}
ModelBuilder& ModelBuilder::sigmoid() {
  return add(Sigmoid{});
}
ModelBuilder& ModelBuilder::tanh() {
  return add(Tanh{});
}
ModelBuilder& ModelBuilder::softmax() {
  return add(Softmax{});
}
ModelBuilder& ModelBuilder::dropout(float rate) {
  return add(Dropout{.rate = rate});
}
ModelBuilder& ModelBuilder::batch_norm() {
  return add(BatchNorm{});
}
ModelBuilder& ModelBuilder::batch_norm(const BatchNorm& options) {
  return add(options);
}

ModelBuilder& ModelBuilder::layer_norm(float epsilon) {
  return add(LayerNorm{.epsilon = epsilon});
}
ModelBuilder& ModelBuilder::scale(float first) {
  return add(Scale{.first = first});
}
ModelBuilder& ModelBuilder::stochastic_depth(float rate) {
  return add(StochasticDepth{.rate = rate});
}
ModelBuilder& ModelBuilder::zero_padding(std::uint32_t top, std::uint32_t bottom,
                                         std::uint32_t left, std::uint32_t right) {
  return add(ZeroPadding{.top = top, .bottom = bottom, .left = left, .right = right});
}
ModelBuilder& ModelBuilder::upsample(std::int64_t rows, std::int64_t columns) {
  return add(Upsample{.rows = rows, .columns = columns});
}

ModelBuilder& ModelBuilder::named(std::string name) {
  MILLRACE_CHECK(!model_.layers.empty(), "named() names the last layer; there is none yet");
  std::ranges::replace(ends_, model_.layers.back().name, name);
  model_.layers.back().name = std::move(name);
  return *this;
}

ModelBuilder& ModelBuilder::initializer(Initializer initializer) {
  initializer_ = initializer;
  return *this;
}

ModelBuilder& ModelBuilder::preprocessing(Preprocessing preprocessing) {
  model_.preprocessing = std::move(preprocessing);
  return *this;
}

ModelBuilder& ModelBuilder::classes(std::vector<std::string> names) {
  model_.classes = std::move(names);
  return *this;
}

Model ModelBuilder::build() const {
  (void)end();
  validate(model_);
  return model_;
}

}  // namespace millrace::nn

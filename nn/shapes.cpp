// Shape inference: what each layer makes of its input, and the parameters that takes.

#include <millrace/core/buffer.h>
#include <millrace/core/error.h>
#include <millrace/nn/model.h>
#include <millrace/nn/window.h>

#include <initializer_list>
#include <limits>

namespace millrace::nn {
namespace {

// Libraries index with 32 bits; a model from an untrusted file cannot ask for more.
constexpr std::int64_t kMaxElements = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kAlignment = 16;  // elements of 4 bytes: one cache line

struct ParameterShape {
  const char* suffix;
  Role role;
  Shape shape;
};

struct Inference {
  Shape output;
  std::vector<ParameterShape> parameters{};
  std::int64_t fan_in = 0, fan_out = 0;
  std::int64_t flops = 0;
};

/// Visits the kind of one layer. Every product is bounded before it is used.
class Infer {
 public:
  Infer(std::size_t index, const Layer& layer, const Shape& input)
      : index_(index), layer_(layer), input_(input) {}

  Inference operator()(const Dense& dense) const {
    require(input_.rank() == 1, "dense needs [features], not ", input_,
            "; put flatten or global_avg_pool before it");
    const std::int64_t kernel = product({positive("units", dense.units), input_[0]});
    Inference result{.output = {dense.units},
                     .parameters = {{"weight", Role::kernel, {dense.units, input_[0]}}},
                     .fan_in = input_[0],
                     .fan_out = dense.units,
                     .flops = 2 * kernel};
    if (dense.bias) result.parameters.push_back({"bias", Role::bias, {dense.units}});
    return result;
  }

  Inference operator()(const Conv2D& conv) const {
    const Shape output =
        slide(positive("rows", conv.rows), positive("columns", conv.columns),
              positive("stride", conv.stride), conv.padding, positive("filters", conv.filters));
    const std::int64_t channels = input_[2];
    product({conv.filters, channels, conv.rows, conv.columns});
    const std::int64_t field = conv.rows * conv.columns;
    Inference result{
        .output = output,
        .parameters = {{"weight", Role::kernel, {conv.filters, channels, conv.rows, conv.columns}}},
        .fan_in = channels * field,
        .fan_out = conv.filters * field,
        .flops = 2 * output.elements() * channels * field};
    if (conv.bias) result.parameters.push_back({"bias", Role::bias, {conv.filters}});
    return result;
  }

  Inference operator()(const MaxPool2D& pool) const { return pooled(pool); }
  Inference operator()(const AvgPool2D& pool) const { return pooled(pool); }

  Inference operator()(const GlobalAvgPool&) const {
    require_image();
    return {.output = {input_[2]}};
  }

  Inference operator()(const Flatten&) const { return {.output = {input_.elements()}}; }
  Inference operator()(const Relu&) const { return {.output = input_}; }
  Inference operator()(const Sigmoid&) const { return {.output = input_}; }
  Inference operator()(const Softmax&) const { return {.output = input_}; }

  Inference operator()(const Dropout& dropout) const {
    require(dropout.rate >= 0 && dropout.rate < 1, "rate must be in [0, 1), not ", dropout.rate);
    return {.output = input_};
  }

  Inference operator()(const BatchNorm& norm) const {
    require(norm.momentum >= 0 && norm.momentum <= 1, "momentum must be in [0, 1], not ",
            norm.momentum);
    require(norm.epsilon > 0 && norm.epsilon < 1, "epsilon must be in (0, 1), not ", norm.epsilon);
    const Shape channels{input_[-1]};
    return {.output = input_,
            .parameters = {{"weight", Role::gamma, channels},
                           {"bias", Role::beta, channels},
                           {"running_mean", Role::running_mean, channels},
                           {"running_var", Role::running_variance, channels}}};
  }

 private:
  template <class... Parts>
  void require(bool condition, const Parts&... parts) const {
    if (!condition) throw Error(concat("layer ", index_, " '", layer_.name, "': ", parts...));
  }
  void require_image() const {
    require(input_.rank() == 3, kind_name(layer_.kind), " needs [height][width][channels], not ",
            input_);
  }
  std::int64_t positive(const char* what, std::int64_t value) const {
    require(value > 0 && value <= kMaxElements, what, " must be a positive number below 2^31, not ",
            value);
    return value;
  }
  std::int64_t product(std::initializer_list<std::int64_t> extents) const {
    std::int64_t result = 1;
    for (const std::int64_t extent : extents) {
      require(result <= kMaxElements / extent, "more than 2^31 - 1 elements in a tensor");
      result *= extent;
    }
    return result;
  }
  Shape slide(std::int64_t rows, std::int64_t columns, std::int64_t stride, Padding padding,
              std::int64_t channels) const {
    require_image();
    const std::int64_t height = window(input_[0], rows, stride, padding).output;
    const std::int64_t width = window(input_[1], columns, stride, padding).output;
    require(height > 0 && width > 0, "a ", rows, "x", columns, " window does not fit into ",
            input_[0], "x", input_[1]);
    product({height, width, channels});
    return {height, width, channels};
  }
  template <class Pool>
  Inference pooled(const Pool& pool) const {
    require_image();
    const std::int64_t size = positive("size", pool.size);
    return {.output = slide(size, size, positive("stride", pool.stride), pool.padding, input_[2])};
  }

  std::size_t index_;
  const Layer& layer_;
  const Shape& input_;
};

void check_input(const Shape& input) {
  const bool is_known = input.rank() == 1 || input.rank() == 3;
  double elements = is_known ? 1 : 0;
  for (const std::int64_t extent : input.extents()) {
    elements *= extent > 0 ? static_cast<double>(extent) : 0;
  }
  if (elements < 1 || elements > static_cast<double>(kMaxElements)) {
    throw Error(concat(
        "input: expected [height, width, channels] or [features], all positive, not ", input));
  }
}

std::vector<Inference> infer(const Model& model) {
  check_input(model.input);
  std::vector<Inference> result;
  Shape shape = model.input;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    result.push_back(std::visit(Infer(i, model.layers[i], shape), model.layers[i].kind));
    shape = result.back().output;
  }
  return result;
}

bool is_trainable(const Layer& layer, Role role) {
  return layer.trainable && role != Role::running_mean && role != Role::running_variance;
}

std::int64_t aligned(std::int64_t elements) {
  return static_cast<std::int64_t>(round_up(static_cast<std::uint64_t>(elements), kAlignment));
}

std::int64_t end_of(const Parameter& parameter) {
  return aligned(parameter.offset + parameter.shape.elements());
}

}  // namespace

std::vector<LayerSummary> summarize(const Model& model) {
  std::vector<LayerSummary> result;
  for (const Inference& layer : infer(model)) {
    LayerSummary summary{.output = layer.output, .flops = layer.flops};
    for (const ParameterShape& parameter : layer.parameters) {
      const std::int64_t elements = parameter.shape.elements();
      summary.parameters += elements;
      const bool trains = is_trainable(model.layers[result.size()], parameter.role);
      summary.trainable_parameters += trains ? elements : 0;
    }
    result.push_back(summary);
  }
  return result;
}

std::vector<Parameter> parameters(const Model& model) {
  const std::vector<Inference> layers = infer(model);
  std::vector<Parameter> result;
  std::int64_t offset = 0;
  for (const bool trainable : {true, false}) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      for (const ParameterShape& parameter : layers[i].parameters) {
        if (is_trainable(model.layers[i], parameter.role) != trainable) continue;
        result.push_back({.name = concat(model.layers[i].name, ".", parameter.suffix),
                          .shape = parameter.shape,
                          .role = parameter.role,
                          .layer = static_cast<int>(i),
                          .offset = offset,
                          .fan_in = layers[i].fan_in,
                          .fan_out = layers[i].fan_out,
                          .trainable = trainable});
        offset = end_of(result.back());
      }
    }
  }
  return result;
}

std::int64_t arena_elements(const std::vector<Parameter>& parameters) {
  return parameters.empty() ? 0 : end_of(parameters.back());
}

std::int64_t trainable_elements(const std::vector<Parameter>& parameters) {
  std::int64_t end = 0;
  for (const Parameter& parameter : parameters) {
    if (parameter.trainable) end = end_of(parameter);
  }
  return end;
}

}  // namespace millrace::nn

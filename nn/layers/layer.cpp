#include <millrace/nn/layers/layer.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::int64_t kMaxElements = std::numeric_limits<std::int32_t>::max();

class TextOfFields final : public FieldList {
 public:
  std::string text;

 private:
  void field(const char* name, Field field, bool) override {
    text += concat(text.empty() ? "" : ", ", name, ' ');
    std::visit([this](const auto* value) { add(*value); }, field);
  }
  void add(bool value) { text += value ? "true" : "false"; }
  [[nodiscard]] bool leaves_out_usual() const override { return true; }
  void add(const Padding& value) { text += to_string(value); }
  void add(const Pair& value) { text += to_string(value); }
  template <class T>
  void add(T value) {
    text += concat(value);
  }
};

}  // namespace

LayerInput::LayerInput(std::size_t index, std::string_view layer, const LayerFacts& facts,
                       std::vector<Shape> shapes)
    : index_(index), layer_(layer), kind_(facts.name), shapes_(std::move(shapes)) {
  const auto count = static_cast<int>(shapes_.size());
  const bool is_open = facts.most_inputs == kAnyNumber;
  require(count >= facts.least_inputs && count <= facts.most_inputs, kind_, " takes ",
          facts.least_inputs, is_open ? " or more" : "",
          facts.least_inputs == 1 && !is_open ? " input, not " : " inputs, not ", count);
}

void LayerInput::require_image() const {
  require(shape().rank() == 3, kind_, " needs [height][width][channels], not ", shape());
}

std::int64_t LayerInput::positive(const char* what, std::int64_t value) const {
  require(value > 0 && value <= kMaxElements, what, " must be a positive number below 2^31, not ",
          value);
  return value;
}

std::int64_t LayerInput::product(std::initializer_list<std::int64_t> extents) const {
  std::int64_t result = 1;
  for (const std::int64_t extent : extents) {
    require(result <= kMaxElements / extent, "more than 2^31 - 1 elements in a tensor");
    result *= extent;
  }
  return result;
}

void LayerInput::check(const char* what, const Pair& pair) const {
  positive(what, pair.rows);
  positive(what, pair.columns);
}

void LayerInput::check(const Padding& padding) const {
  for (const std::int64_t pixels :
       {padding.top(), padding.bottom(), padding.left(), padding.right()}) {
    require(pixels >= 0 && pixels <= kMaxElements,
            "padding must be numbers from 0 on and below 2^31, not ", pixels);
  }
}

Shape LayerInput::slide(const SlidingWindow& window, std::int64_t channels) const {
  require_image();
  check("stride", window.stride);
  check("dilation", window.dilation);
  check(window.padding);
  const auto [down, across] = place(window, shape()[0], shape()[1]);
  const bool is_dilated = window.dilation != Pair(1);
  const bool is_padded = window.padding != Padding::valid;
  require(down.output > 0 && across.output > 0, "a ", window.size.rows, "x", window.size.columns,
          " window", is_dilated ? concat(" of dilation ", to_string(window.dilation)) : "",
          " does not fit into ", shape()[0], "x", shape()[1],
          is_padded ? concat(" with padding ", to_string(window.padding)) : "");
  product({down.output, across.output, channels});
  return {down.output, across.output, channels};
}

Shape LayerInput::pool(const SlidingWindow& window) const {
  check("size", window.size);
  const Padding& padding = window.padding;
  require(!window.ceil || !padding.is_same(), "ceil needs padding in numbers, or none, not same");
  const auto fits = [](std::int64_t before, std::int64_t after, std::int64_t size) {
    return std::max(before, after) < size;
  };
  require(padding.is_same() || (fits(padding.top(), padding.bottom(), window.size.rows) &&
                                fits(padding.left(), padding.right(), window.size.columns)),
          "padding ", to_string(padding), " is not smaller than the ", window.size.rows, "x",
          window.size.columns, " window, which would lie over nothing else");
  return slide(window, shape()[-1]);
}

void LayerKind::list(FieldList& fields) {
  const std::shared_ptr<Rule> changed = rule().copy();
  changed->list(fields);
  rule_ = changed;
}

void LayerKind::list(FieldList& fields) const {
  rule().copy()->list(fields);
}

std::string to_string(const LayerKind& kind) {
  TextOfFields fields;
  kind.list(fields);
  return concat(kind_name(kind), '(', fields.text, ')');
}

}  // namespace millrace::nn

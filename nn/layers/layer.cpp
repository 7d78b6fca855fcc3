#include <millrace/nn/layers/layer.h>

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
  void add(Padding value) { text += to_string(value); }
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

Shape LayerInput::slide(std::int64_t rows, std::int64_t columns, std::int64_t stride,
                        Padding padding, std::int64_t channels) const {
  require_image();
  const std::int64_t height = window(shape()[0], rows, stride, padding).output;
  const std::int64_t width = window(shape()[1], columns, stride, padding).output;
  require(height > 0 && width > 0, "a ", rows, "x", columns, " window does not fit into ",
          shape()[0], "x", shape()[1]);
  product({height, width, channels});
  return {height, width, channels};
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

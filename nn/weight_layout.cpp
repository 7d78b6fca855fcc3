#include <millrace/nn/weight_layout.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/flatten.h>

#include <algorithm>

namespace millrace::nn {
namespace {

void place_keras(const Shape& shape, std::int64_t first, std::span<const float> part,
                 std::span<float> whole) {
  const bool is_dense = shape.rank() == 2;
  MILLRACE_CHECK(is_dense || shape.rank() == 4, "a Keras kernel has 2 or 4 dimensions, not ",
                 shape);
  const auto outputs = shape[-1], inputs = shape[-2];
  const std::int64_t field = is_dense ? 1 : shape[0] * shape[1];
  const auto rows = static_cast<std::int64_t>(part.size()) / outputs;
  MILLRACE_CHECK(first % outputs == 0 && rows * outputs == static_cast<std::int64_t>(part.size()),
                 "a part of a kernel holds whole rows");
  // Row r of [field][in] goes to in * field + its place in the field.
  std::vector<std::int64_t> column(static_cast<std::size_t>(rows));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t row = first / outputs + r;
    column[static_cast<std::size_t>(r)] = row % inputs * field + row / inputs;
  }
  // Writes near to each other, reads far apart: the part is small enough to stay in the cache.
  for (std::int64_t o = 0; o < outputs; ++o) {
    float* const target = whole.data() + o * inputs * field;
    const float* source = part.data() + o;
    for (std::int64_t r = 0; r < rows; ++r, source += outputs) {
      target[column[static_cast<std::size_t>(r)]] = *source;
    }
  }
}

/// Calls visit(element of channels_first, element of ours) for `count` elements.
template <class Visit>
void walk_channels_first(const Shape& image, std::int64_t first, std::int64_t count, Visit visit) {
  const std::int64_t pixels = image[0] * image[1], channels = image[2];
  const std::int64_t features = pixels * channels;
  for (std::int64_t theirs = first; theirs < first + count;) {
    const std::int64_t row = theirs / features, channel = theirs % features / pixels;
    const std::int64_t end = std::min((theirs / pixels + 1) * pixels, first + count);
    std::int64_t ours = row * features + theirs % pixels * channels + channel;
    for (; theirs < end; ++theirs, ours += channels) visit(theirs, ours);
  }
}

}  // namespace

void place(const WeightLayout& layout, std::int64_t first, std::span<const float> part,
           std::span<float> whole) {
  MILLRACE_CHECK(first >= 0 && first + static_cast<std::int64_t>(part.size()) <=
                                   static_cast<std::int64_t>(whole.size()),
                 "a part of ", part.size(), " from ", first, " does not fit into ", whole.size());
  switch (layout.order) {
    case WeightOrder::same: std::copy(part.begin(), part.end(), whole.begin() + first); return;
    case WeightOrder::keras_kernel: return place_keras(layout.shape, first, part, whole);
    case WeightOrder::channels_first:
      walk_channels_first(layout.image, first, static_cast<std::int64_t>(part.size()),
                          [&](std::int64_t theirs, std::int64_t ours) {
                            whole[static_cast<std::size_t>(ours)] =
                                part[static_cast<std::size_t>(theirs - first)];
                          });
  }
}

std::vector<float> to_channels_first(const Shape& image, std::span<const float> ours) {
  std::vector<float> result(ours.size());
  walk_channels_first(
      image, 0, static_cast<std::int64_t>(ours.size()), [&](std::int64_t theirs, std::int64_t own) {
        result[static_cast<std::size_t>(theirs)] = ours[static_cast<std::size_t>(own)];
      });
  return result;
}

namespace {

/// Whose flattened pixels features are, in their order.
struct Order {
  Shape image{};
  bool is_mixed = false;  ///< of an image in part
};

/// Of what a layer takes.
Order order_of(const std::vector<int>& inputs, const std::vector<Order>& orders, bool keeps_order) {
  const auto of = [&](int layer) {
    return layer < 0 ? Order{} : orders[static_cast<std::size_t>(layer)];
  };
  Order result = of(inputs.front());
  if (inputs.size() == 1) return result;
  bool has_image = false, are_alike = true;
  for (const int layer : inputs) {
    const Order order = of(layer);
    has_image = has_image || order.is_mixed || order.image.rank() > 0;
    are_alike = are_alike && order.image == result.image;
  }
  if (!has_image) return {};
  result.is_mixed = result.is_mixed || !are_alike || !keeps_order;
  return result.is_mixed ? Order{.is_mixed = true} : result;
}

/// By layer.
std::vector<Order> input_orders(const Model& model) {
  const std::vector<LayerSummary> layers = summarize(model);
  const std::vector<std::vector<int>> inputs = input_layers(model);
  std::vector<Order> result, outputs(model.layers.size());
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const LayerKind& kind = model.layers[i].kind;
    const int before = inputs[i].front();
    const Shape& input = before < 0 ? model.input : layers[static_cast<std::size_t>(before)].output;
    result.push_back(order_of(inputs[i], outputs, kind.facts().keeps_order));
    // One pixel has the same order everywhere, as in the gates of squeeze-and-excitation.
    const bool has_order = input.rank() == 3 && input[0] * input[1] > 1;
    if (kind.is<Flatten>() && has_order) {
      outputs[i].image = input;
    } else if (kind.facts().keeps_order || (result[i].is_mixed && layers[i].parameters == 0)) {
      outputs[i] = result[i];
    }
  }
  return result;
}

}  // namespace

std::vector<Shape> flattened_images(const Model& model) {
  std::vector<Shape> result;
  for (const Order& order : input_orders(model)) result.push_back(order.image);
  return result;
}

void require_known_order(const Model& model) {
  const std::vector<Order> orders = input_orders(model);
  const std::vector<LayerSummary> layers = summarize(model);
  for (std::size_t i = 0; i < orders.size(); ++i) {
    if (!orders[i].is_mixed || layers[i].parameters == 0) continue;
    throw Error(concat("layer ", i, " '", model.layers[i].name,
                       "' takes a flattened image beside other features: which of its weights "
                       "belong to which pixel is not known in PyTorch's order"));
  }
}

}  // namespace millrace::nn

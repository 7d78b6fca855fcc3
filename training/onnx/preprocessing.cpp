// Pixels become the model's input as nodes/cast.h has it: pixel * factor + offset by channel.

#include <millrace/training/onnx/translation.h>

#include <millrace/core/error.h>
#include <millrace/nn/preprocessing.h>

#include <algorithm>

namespace millrace::onnx_export {
namespace {

double channel_value(const std::vector<float>& values, std::size_t channel, double otherwise) {
  return values.empty() ? otherwise : static_cast<double>(values[channel]);
}

}  // namespace

std::string translate_preprocessing(Translation& graph, const std::string& input) {
  const nn::Model& model = graph.model();
  const nn::Preprocessing& p = model.preprocessing;
  if (nn::needs_whole_samples(p)) {
    throw Error(concat("the preprocessing of the model '", model.name, "' (", nn::describe(p),
                       ") looks at whole samples and is not put into graphs; convert without "
                       "--with-preprocessing and do it outside"));
  }
  const std::int64_t channels = model.input[-1];
  const Shape shape = model.input.rank() == 3 ? Shape{channels, 1, 1} : Shape{channels};
  std::vector<float> factors, offsets;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const double deviation = channel_value(p.deviation, c, 1);
    factors.push_back(static_cast<float>(static_cast<double>(p.scale) / deviation));
    offsets.push_back(static_cast<float>(-channel_value(p.mean, c, 0) / deviation));
  }
  const auto all = [](const std::vector<float>& values, float wanted) {
    return std::ranges::all_of(values, [wanted](float value) { return value == wanted; });
  };
  std::string x = input;
  const auto add = [&](const char* name, const char* op, std::string constant,
                       Attributes attributes = {}) {
    x = graph.node(name, false, op, {x, std::move(constant)}, std::move(attributes));
  };
  if (p.order == nn::ChannelOrder::bgr) {
    add("preprocessing/bgr", "Gather", graph.constant("preprocessing/channels", {2, 1, 0}),
        {{"axis", std::int64_t{1}}});
  }
  if (!all(factors, 1)) {
    add("preprocessing/scale", "Mul", graph.constant("preprocessing/factors", shape, factors));
  }
  if (!all(offsets, 0)) {
    add("preprocessing/shift", "Add", graph.constant("preprocessing/offsets", shape, offsets));
  }
  return x;
}

}  // namespace millrace::onnx_export

#include <millrace/nn/zoo/zoo.h>

#include <millrace/core/error.h>
#include <millrace/nn/zoo/vgg.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace millrace::nn {
namespace {

using Widths = std::vector<std::int64_t>;

constexpr const char* kKnown =
    "known: mlp:WIDTH,..., cnn or cnn:FILTERS,...:WIDTH,...:DROPOUT, vgg16 or vgg16:dropout";

[[noreturn]] void refuse(std::string_view spec, const char* problem) {
  throw UsageError(concat("model '", spec, "': ", problem, "; ", kKnown));
}

/// "500,100" -> {500, 100}; "" -> {}.
Widths widths(std::string_view list, std::string_view spec) {
  Widths result;
  while (!list.empty()) {
    std::int64_t width = 0;
    const auto [end, error] = std::from_chars(list.data(), list.data() + list.size(), width);
    if (error != std::errc{} || width <= 0) refuse(spec, "expected positive numbers");
    result.push_back(width);
    list.remove_prefix(static_cast<std::size_t>(end - list.data()));
    if (list.empty()) break;
    if (list.front() != ',' || list.size() == 1) refuse(spec, "expected numbers and commas");
    list.remove_prefix(1);
  }
  return result;
}

/// Takes the text up to the next colon, and the colon, off `rest`.
std::string_view field(std::string_view& rest) {
  const std::string_view first = rest.substr(0, rest.find(':'));
  rest.remove_prefix(std::min(first.size() + 1, rest.size()));
  return first;
}

/// "0.3" -> 0.3; "" -> 0.
float dropout_rate(std::string_view text, std::string_view spec) {
  float rate = 0;
  const char* const end = text.data() + text.size();
  if (text.empty()) return rate;
  const auto read = std::from_chars(text.data(), end, rate);
  if (read.ec != std::errc{} || read.ptr != end || !(rate >= 0 && rate < 1)) {
    refuse(spec, "expected a dropout rate from 0 to below 1");
  }
  return rate;
}

Model finished(ModelBuilder& builder, const Widths& hidden, std::int64_t outputs,
               float dropout = 0) {
  const auto dense = [&](std::int64_t width) {
    if (dropout > 0) builder.dropout(dropout);
    builder.dense(width);
  };
  for (const std::int64_t width : hidden) {
    dense(width);
    builder.relu();
  }
  dense(outputs);
  return outputs == 1 ? builder.sigmoid().build() : builder.softmax().build();
}

}  // namespace

Model zoo_model(std::string_view spec, Shape input, std::int64_t outputs, Initializer initializer) {
  if (outputs < 1) refuse(spec, "needs at least one output");
  const std::string_view name = spec.substr(0, spec.find(':'));
  std::string_view rest = spec.substr(name.size());
  if (!rest.empty()) rest.remove_prefix(1);
  if (name == "vgg16") {
    if (!rest.empty() && rest != "dropout") refuse(spec, "the one option is vgg16:dropout");
    return vgg16(input, outputs, {.dropout = !rest.empty(), .initializer = initializer});
  }
  ModelBuilder builder{std::string(spec), input};
  builder.initializer(initializer);

  if (name == "mlp") {
    if (rest.empty()) refuse(spec, "needs the widths of its hidden layers, as in mlp:500");
    if (input.rank() != 1) builder.flatten();
    return finished(builder, widths(rest, spec), outputs);
  }
  if (name != "cnn") refuse(spec, "there is no such model");
  if (input.rank() != 3) refuse(spec, "needs images");
  if (rest.empty()) rest = "32,64,128,128:512";
  const std::string_view filters = field(rest);
  const std::string_view hidden = field(rest);
  if (filters.empty()) refuse(spec, "needs at least one convolution");
  for (const std::int64_t count : widths(filters, spec)) builder.conv(count).relu().max_pool();
  builder.flatten();
  return finished(builder, widths(hidden, spec), outputs, dropout_rate(rest, spec));
}

std::vector<std::string> zoo_help() {
  return {
      "mlp:500,100   flatten, dense layers of these widths with ReLU, dense output",
      "cnn           3x3 convolutions of 32, 64, 128, 128 filters, each with ReLU and 2x2 max "
      "pooling, dense 512 with ReLU, dense output",
      "cnn:16,32:64  the same with other widths: convolutions before the colon, dense after it; "
      "cnn:16,32:64:0.3 with dropout of 0.3 before each dense layer",
      "vgg16         VGG16 as Keras has it; vgg16:dropout with torchvision's two dropout layers",
  };
}

std::string zoo_keras_name(std::string_view spec, std::string_view layer) {
  return spec.substr(0, spec.find(':')) == "vgg16" ? std::string(vgg16_keras_name(layer)) : "";
}

}  // namespace millrace::nn

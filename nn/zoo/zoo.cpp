#include <millrace/nn/zoo/zoo.h>

#include <millrace/core/error.h>
#include <millrace/nn/zoo/convnext.h>
#include <millrace/nn/zoo/networks.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace millrace::nn {
namespace {

using Widths = std::vector<std::int64_t>;

std::string known() {
  std::string text = "known: mlp:WIDTH,..., cnn or cnn:FILTERS,...:WIDTH,...:DROPOUT";
  for (const zoo::Network& network : zoo::networks()) text += concat(", ", network.name);
  return text;
}

[[noreturn]] void refuse(std::string_view spec, const char* problem) {
  throw UsageError(concat("model '", spec, "': ", problem, "; ", known()));
}

std::string_view name_of(std::string_view spec) {
  return spec.substr(0, spec.find(':'));
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

Model of_network(const zoo::Network& network, std::string_view spec, std::string_view words,
                 const Shape& input, std::int64_t outputs, Initializer initializer) {
  ZooOptions options = zoo::read_options(network, words);
  options.initializer = initializer;
  try {
    Model model = network.make(network.name, input, outputs, options);
    model.name = spec;
    return model;
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(
        concat("model '", spec, "': cannot take an input of ", input, ": ", error.what()));
  }
}

}  // namespace

Model zoo_model(std::string_view spec, const Shape& input, std::int64_t outputs,
                Initializer initializer) {
  if (outputs < 1) refuse(spec, "needs at least one output");
  const std::string_view name = name_of(spec);
  std::string_view rest = spec.substr(name.size());
  if (!rest.empty()) rest.remove_prefix(1);
  if (const zoo::Network* network = zoo::find_network(name)) {
    return of_network(*network, spec, rest, input, outputs, initializer);
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

bool in_zoo(std::string_view spec) noexcept {
  const std::string_view name = name_of(spec);
  return name == "mlp" || name == "cnn" || zoo::find_network(name) != nullptr;
}

std::vector<std::string_view> zoo_networks() {
  std::vector<std::string_view> names;
  for (const zoo::Network& network : zoo::networks()) names.push_back(network.name);
  return names;
}

std::vector<std::string> zoo_help() {
  return {
      "mlp:500,100   flatten, dense layers of these widths with ReLU, dense output",
      "cnn           3x3 convolutions of 32, 64, 128, 128 filters, each with ReLU and 2x2 max "
      "pooling, dense 512 with ReLU, dense output",
      "cnn:16,32:64  the same with other widths: convolutions before the colon, dense after it; "
      "cnn:16,32:64:0.3 with dropout of 0.3 before each dense layer",
      "resnet18, resnet34, resnet50  ResNets as torchvision has them; resnet50:keras as Keras has "
      "it",
      "mobilenet_v2  MobileNetV2; mobilenet_v2:0.5 with half of the channels, mobilenet_v2:keras",
      "mobilenet_v3_small, mobilenet_v3_large  MobileNetV3; with :keras as Keras has it",
      "efficientnet_b0, efficientnet_lite0  EfficientNet-B0 (efficientnet_b0:keras) and Lite0",
      "squeezenet1_1  SqueezeNet 1.1; squeezenet1_1:keras as Keras's users have it",
      "convnext_tiny  ConvNeXt-T",
      "vgg11, vgg13, vgg16, vgg19, and with _bn after it  VGGs as Keras has them; vgg16:dropout "
      "with "
      "torchvision's two dropout layers",
  };
}

std::string zoo_keras_name(std::string_view spec, std::string_view layer) {
  const zoo::Network* network = zoo::find_network(name_of(spec));
  if (network == nullptr || network->keras_name == nullptr) return {};
  return network->keras_name(network->name, layer);
}

std::string zoo_other_form(std::string_view spec, bool of_keras) {
  const zoo::Network* network = zoo::find_network(name_of(spec));
  if (network == nullptr || !network->keras_differs) return {};
  constexpr std::string_view kKeras = ":keras";
  std::string form(spec);
  const std::size_t place = (form + ':').find(concat(kKeras, ':'));
  const bool is_keras = place != std::string::npos;
  if (is_keras == of_keras) return {};
  return of_keras ? concat(form, kKeras) : form.erase(place, kKeras.size());
}

TorchTensor zoo_torch_tensor(const Model& model, const Parameter& parameter) {
  if (name_of(model.name) == "convnext_tiny") return convnext_tiny_torch_tensor(parameter);
  return {parameter.name, parameter.shape};
}

}  // namespace millrace::nn

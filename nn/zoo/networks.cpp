#include <millrace/nn/zoo/networks.h>

#include <millrace/core/error.h>
#include <millrace/nn/zoo/convnext.h>
#include <millrace/nn/zoo/efficientnet.h>
#include <millrace/nn/zoo/mobilenet_v2.h>
#include <millrace/nn/zoo/mobilenet_v3.h>
#include <millrace/nn/zoo/resnet.h>
#include <millrace/nn/zoo/squeezenet.h>
#include <millrace/nn/zoo/vgg.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace millrace::nn::zoo {
namespace {

using Dropout = Network::Dropout;
using Name = std::string_view;

/// A function of one network as one of the table.
template <Model (*Make)(const Shape&, std::int64_t, const ZooOptions&)>
Model only(Name, const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  return Make(input, outputs, options);
}
template <std::string (*KerasName)(Name)>
std::string only_name(Name, Name layer) {
  return KerasName(layer);
}

Model make_vgg(Name name, const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  return vgg(name, input, outputs,
             {.dropout = options.dropout, .initializer = options.initializer});
}

constexpr Network of_vgg(Name name, Network::KerasName keras_name = nullptr) {
  return {.name = name, .make = make_vgg, .dropout = Dropout::on_demand, .keras_name = keras_name};
}

constexpr Network kNetworks[] = {
    {.name = "resnet18", .make = resnet},
    {.name = "resnet34", .make = resnet},
    {.name = "resnet50",
     .make = resnet,
     .keras_name = only_name<resnet_keras_name>,
     .keras_differs = true},
    {.name = "mobilenet_v2",
     .make = only<mobilenet_v2>,
     .dropout = Dropout::usual,
     .keras_name = only_name<mobilenet_v2_keras_name>,
     .keras_differs = true,
     .has_width = true},
    {.name = "mobilenet_v3_small",
     .make = mobilenet_v3,
     .dropout = Dropout::usual,
     .keras_name = mobilenet_v3_keras_name,
     .keras_differs = true},
    {.name = "mobilenet_v3_large",
     .make = mobilenet_v3,
     .dropout = Dropout::usual,
     .keras_name = mobilenet_v3_keras_name,
     .keras_differs = true},
    {.name = "efficientnet_b0",
     .make = only<efficientnet_b0>,
     .dropout = Dropout::usual,
     .keras_name = only_name<efficientnet_b0_keras_name>,
     .keras_differs = true},
    {.name = "efficientnet_lite0", .make = only<efficientnet_lite0>, .dropout = Dropout::usual},
    {.name = "squeezenet1_1",
     .make = only<squeezenet1_1>,
     .dropout = Dropout::usual,
     .keras_name = only_name<squeezenet1_1_keras_name>,
     .keras_differs = true},
    {.name = "convnext_tiny",
     .make = only<convnext_tiny>,
     .dropout = Dropout::usual,
     .keras_name = only_name<convnext_tiny_keras_name>},
    of_vgg("vgg11"),
    of_vgg("vgg11_bn"),
    of_vgg("vgg13"),
    of_vgg("vgg13_bn"),
    of_vgg("vgg16", vgg_keras_name),
    of_vgg("vgg16_bn"),
    of_vgg("vgg19", vgg_keras_name),
    of_vgg("vgg19_bn"),
};

std::optional<double> number(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  const bool is_whole = read.ec == std::errc{} && read.ptr == end;
  return is_whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string known_words(const Network& network) {
  std::string words;
  const auto add = [&](const char* word) { words += concat(words.empty() ? "" : ", ", word); };
  if (network.keras_differs) add("keras");
  if (network.dropout == Dropout::usual) add("no-dropout");
  if (network.dropout == Dropout::on_demand) add("dropout");
  if (network.has_width) add("a width such as 0.5");
  return words;
}

}  // namespace

std::span<const Network> networks() noexcept {
  return kNetworks;
}

const Network* find_network(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kNetworks, name, &Network::name);
  return found == std::end(kNetworks) ? nullptr : found;
}

ZooOptions read_options(const Network& network, std::string_view words) {
  ZooOptions options{.dropout = network.dropout == Dropout::usual};
  for (std::string_view rest = words; !rest.empty();) {
    const std::string_view word = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    const std::optional<double> width = number(word);
    if (word == "keras" && network.keras_differs) {
      options.keras = true;
    } else if (word == "no-dropout" && network.dropout == Dropout::usual) {
      options.dropout = false;
    } else if (word == "dropout" && network.dropout == Dropout::on_demand) {
      options.dropout = true;
    } else if (width && network.has_width) {
      options.width = *width;
    } else {
      const std::string known = known_words(network);
      throw UsageError(concat("model '", network.name, ':', words, "': ",
                              known.empty() ? concat(network.name, " has no options")
                                            : concat("after the name may stand ", known),
                              ", not '", word, "'"));
    }
  }
  return options;
}

}  // namespace millrace::nn::zoo

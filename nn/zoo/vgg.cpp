#include <millrace/nn/zoo/vgg.h>

#include <millrace/core/error.h>
#include <millrace/nn/zoo/blocks.h>

#include <algorithm>
#include <array>

namespace millrace::nn {
namespace {

constexpr std::int64_t kSmallestSide = 32;  // five poolings leave one pixel
constexpr std::int64_t kHidden = 4096;
constexpr std::string_view kWithBatchNorm = "_bn";

constexpr std::array<std::int64_t, 5> kFilters{64, 128, 256, 512, 512};  // of each block
struct Depth {
  std::string_view name;
  std::array<int, 5> convolutions;  // of each block
};
constexpr std::array<Depth, 4> kDepths{{{"vgg11", {1, 1, 2, 2, 2}},
                                        {"vgg13", {2, 2, 2, 2, 2}},
                                        {"vgg16", {2, 2, 3, 3, 3}},
                                        {"vgg19", {2, 2, 4, 4, 4}}}};

struct Network {
  const Depth* depth;  // null: none of this name
  bool has_batch_norm;
};
Network network_named(std::string_view name) {
  const bool has_batch_norm = name.ends_with(kWithBatchNorm);
  if (has_batch_norm) name.remove_suffix(kWithBatchNorm.size());
  const auto* const found = std::ranges::find(kDepths, name, &Depth::name);
  return {found == kDepths.end() ? nullptr : found, has_batch_norm};
}

/// Calls convolution(block, place in it) and pooling() in order.
template <class Convolution, class Pooling>
void for_each_layer(const Depth& depth, Convolution convolution, Pooling pooling) {
  for (std::size_t block = 0; block < kFilters.size(); ++block) {
    for (int i = 0; i < depth.convolutions[block]; ++i) convolution(block, i);
    pooling();
  }
}

void add_features(ModelBuilder& builder, const Network& network) {
  int index = 0;
  const auto name = [&] { return concat("features.", index++); };
  for_each_layer(
      *network.depth,
      [&](std::size_t block, int) {
        builder.conv(kFilters[block], 3, Padding::same).named(name());
        if (network.has_batch_norm) builder.batch_norm().named(name());
        builder.relu().named(name());
      },
      [&] { builder.max_pool().named(name()); });
}

void add_classifier(ModelBuilder& builder, std::int64_t outputs, bool dropout) {
  builder.flatten().named("flatten");
  // torchvision counts its dropout layers; the numbers stay without them.
  for (const int first : {0, 3}) {
    const auto name = [&](int offset) { return concat("classifier.", first + offset); };
    builder.dense(kHidden).named(name(0)).relu().named(name(1));
    if (dropout) builder.dropout(0.5F).named(name(2));
  }
  zoo::add_output(builder, "classifier.6", outputs);
}

}  // namespace

Model vgg(std::string_view name, const Shape& input, std::int64_t outputs,
          const VggOptions& options) {
  const Network network = network_named(name);
  if (network.depth == nullptr) throw UsageError(concat("there is no VGG '", name, "'"));
  if (input.rank() != 3 || std::min(input[0], input[1]) < kSmallestSide) {
    throw UsageError(concat("model '", name, "': needs images of at least ", kSmallestSide, 'x',
                            kSmallestSide, " pixels, not ", input));
  }
  ModelBuilder builder{std::string(name), input};
  builder.initializer(options.initializer);
  add_features(builder, network);
  if (outputs != 0) add_classifier(builder, outputs, options.dropout);
  return builder.build();
}

Model vgg16(const Shape& input, std::int64_t outputs, const VggOptions& options) {
  return vgg("vgg16", input, outputs, options);
}

std::string vgg_keras_name(std::string_view network, std::string_view layer) {
  if (network != "vgg16" && network != "vgg19") return {};
  if (layer == "classifier.0") return "fc1";
  if (layer == "classifier.3") return "fc2";
  if (layer == "classifier.6") return "predictions";
  std::string result;
  int index = 0;
  for_each_layer(
      *network_named(network).depth,
      [&](std::size_t block, int place) {
        if (layer == concat("features.", index)) {
          result = concat("block", block + 1, "_conv", place + 1);
        }
        index += 2;
      },
      [&] { ++index; });
  return result;
}

std::string vgg16_keras_name(std::string_view layer) {
  return vgg_keras_name("vgg16", layer);
}

}  // namespace millrace::nn

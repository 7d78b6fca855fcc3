#include <millrace/nn/zoo/mobilenet_v3.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/hard_sigmoid.h>
#include <millrace/nn/layers/hard_swish.h>
#include <millrace/nn/layers/relu.h>
#include <millrace/nn/zoo/blocks.h>

#include <array>
#include <span>

namespace millrace::nn {
namespace {

using zoo::Convention;
using zoo::ConvNames;
using zoo::InvertedResidual;

struct Block {
  std::int64_t size, width, filters;
  bool has_gate, has_hard_swish;  // else ReLU
  std::int64_t stride;
};
constexpr std::array<Block, 15> kLarge{{{3, 16, 16, false, false, 1},
                                        {3, 64, 24, false, false, 2},
                                        {3, 72, 24, false, false, 1},
                                        {5, 72, 40, true, false, 2},
                                        {5, 120, 40, true, false, 1},
                                        {5, 120, 40, true, false, 1},
                                        {3, 240, 80, false, true, 2},
                                        {3, 200, 80, false, true, 1},
                                        {3, 184, 80, false, true, 1},
                                        {3, 184, 80, false, true, 1},
                                        {3, 480, 112, true, true, 1},
                                        {3, 672, 112, true, true, 1},
                                        {5, 672, 160, true, true, 2},
                                        {5, 960, 160, true, true, 1},
                                        {5, 960, 160, true, true, 1}}};
constexpr std::array<Block, 11> kSmall{{{3, 16, 16, true, false, 2},
                                        {3, 72, 24, false, false, 2},
                                        {3, 88, 24, false, false, 1},
                                        {5, 96, 40, true, true, 2},
                                        {5, 240, 40, true, true, 1},
                                        {5, 240, 40, true, true, 1},
                                        {5, 120, 48, true, true, 1},
                                        {5, 144, 48, true, true, 1},
                                        {5, 288, 96, true, true, 2},
                                        {5, 576, 96, true, true, 1},
                                        {5, 576, 96, true, true, 1}}};
constexpr std::int64_t kFirst = 16;
constexpr std::int64_t kLastFactor = 6;  // of the last convolution, to its input
constexpr std::int64_t kSqueeze = 4;     // a gate's hidden channels are as many times fewer
constexpr float kDropout = 0.2F;

struct Network {
  std::span<const Block> blocks;
  std::int64_t hidden;
};
Network network_named(std::string_view name) {
  if (name == "mobilenet_v3_large") return {kLarge, 1280};
  if (name == "mobilenet_v3_small") return {kSmall, 1024};
  throw UsageError(concat("there is no MobileNetV3 '", name, "'"));
}

/// Block `index` of features, from 1.
InvertedResidual named_block(const Block& o, std::int64_t channels, std::size_t index) {
  const LayerKind activation = o.has_hard_swish ? LayerKind(HardSwish{}) : LayerKind(Relu{});
  InvertedResidual block{.name = concat("features.", index),
                         .inputs = channels,
                         .width = o.width,
                         .filters = o.filters,
                         .size = o.size,
                         .stride = o.stride,
                         .activation = activation};
  int part = 0;
  const auto next = [&] {
    const std::string name = concat(block.name, ".block.", part++);
    return ConvNames{name + ".0", name + ".1"};
  };
  if (block.expands()) block.expand = next();
  block.depthwise = next();
  if (o.has_gate) {
    const std::string gate = concat(block.name, ".block.", part++);
    block.gate = {.reduce = gate + ".fc1",
                  .expand = gate + ".fc2",
                  .channels = o.width,
                  .squeezed = zoo::rounded_width(static_cast<double>(o.width / kSqueeze)),
                  .activation = Relu{},
                  .gate = HardSigmoid{}};
  }
  block.project = next();
  return block;
}

void add_classifier(ModelBuilder& builder, std::int64_t hidden, std::int64_t outputs,
                    const ZooOptions& options) {
  const auto activation = [&] {
    builder.hard_swish().named("classifier.0.hard_swish");
    if (options.dropout) builder.dropout(kDropout).named("classifier.2");
  };
  if (!options.keras) {
    builder.global_avg_pool().dense(hidden).named("classifier.0");
    activation();
    zoo::add_output(builder, "classifier.3", outputs);
    return;
  }
  builder.adaptive_avg_pool(1, 1).named("classifier.pool");
  builder.conv(hidden, 1).named("classifier.0");
  activation();
  builder.conv(outputs, 1).named("classifier.3").flatten();
  zoo::add_probabilities(builder, outputs);
}

}  // namespace

Model mobilenet_v3(std::string_view name, const Shape& input, std::int64_t outputs,
                   const ZooOptions& options) {
  const Network network = network_named(name);
  const Convention convention = options.keras ? zoo::keras_norms(0.999F, 1e-3F, true)
                                              : Convention{.momentum = 0.99F, .epsilon = 1e-3F};
  ModelBuilder builder{std::string(name), input};
  builder.initializer(options.initializer);
  zoo::add_conv_norm(builder, convention,
                     {.names = {"features.0.0", "features.0.1"},
                      .filters = kFirst,
                      .size = 3,
                      .stride = 2,
                      .activation = HardSwish{}});
  std::int64_t channels = kFirst;
  std::size_t index = 1;
  for (const Block& block : network.blocks) {
    zoo::add_inverted_residual(builder, convention, named_block(block, channels, index++));
    channels = block.filters;
  }
  zoo::add_conv_norm(builder, convention,
                     {.names = {concat("features.", index, ".0"), concat("features.", index, ".1")},
                      .filters = channels * kLastFactor,
                      .activation = HardSwish{}});
  if (outputs != 0) add_classifier(builder, network.hidden, outputs, options);
  return builder.build();
}

std::string mobilenet_v3_keras_name(std::string_view network, std::string_view layer) {
  const std::span<const Block> blocks = network_named(network).blocks;
  const std::string last = concat("features.", blocks.size() + 1);
  if (layer == "features.0.0") return "conv";
  if (layer == "features.0.1") return "conv_bn";
  if (layer == last + ".0") return "conv_1";
  if (layer == last + ".1") return "conv_1_bn";
  if (layer == "classifier.0") return "conv_2";
  if (layer == "classifier.3") return "logits";
  std::int64_t channels = kFirst;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const InvertedResidual block = named_block(blocks[i], channels, i + 1);
    const std::string keras = i == 0 ? "expanded_conv_" : concat("expanded_conv_", i, '_');
    if (layer == block.expand.conv) return keras + "expand";
    if (layer == block.expand.norm) return keras + "expand_bn";
    if (layer == block.depthwise.conv) return keras + "depthwise";
    if (layer == block.depthwise.norm) return keras + "depthwise_bn";
    if (block.gate && layer == block.gate->reduce) return keras + "squeeze_excite_conv";
    if (block.gate && layer == block.gate->expand) return keras + "squeeze_excite_conv_1";
    if (layer == block.project.conv) return keras + "project";
    if (layer == block.project.norm) return keras + "project_bn";
    channels = blocks[i].filters;
  }
  return {};
}

}  // namespace millrace::nn

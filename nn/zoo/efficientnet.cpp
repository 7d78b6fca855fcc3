#include <millrace/nn/zoo/efficientnet.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/relu6.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/silu.h>
#include <millrace/nn/zoo/blocks.h>

#include <array>

namespace millrace::nn {
namespace {

using zoo::Convention;
using zoo::ConvNames;
using zoo::InvertedResidual;

struct Stage {
  std::int64_t expansion, size, stride, filters, blocks;
};
constexpr std::array<Stage, 7> kStages{{{1, 3, 1, 16, 1},
                                        {6, 3, 2, 24, 2},
                                        {6, 5, 2, 40, 2},
                                        {6, 3, 2, 80, 3},
                                        {6, 5, 1, 112, 3},
                                        {6, 5, 2, 192, 4},
                                        {6, 3, 1, 320, 1}}};
constexpr std::int64_t kFirst = 32, kLast = 1280;
constexpr std::int64_t kSqueeze = 4;  // a gate's hidden channels are as many times fewer
constexpr float kDropout = 0.2F, kStochasticDepth = 0.2F;

/// What the two networks have of their own: names, activation and gates.
struct Family {
  std::string_view name;
  Convention convention;
  LayerKind activation;
  ConvNames first, last;
  std::string output;
  /// Names the block's convolutions; `stage` and `place` count from 0, `block` through all.
  void (*finish)(InvertedResidual& block, int stage, int place, int number);
};

void finish_b0(InvertedResidual& block, int stage, int place, int) {
  block.name = concat("features.", stage + 1, '.', place);
  int part = 0;
  const auto next = [&] {
    const std::string name = concat(block.name, ".block.", part++);
    return ConvNames{name + ".0", name + ".1"};
  };
  if (block.expands()) block.expand = next();
  block.depthwise = next();
  const std::string gate = concat(block.name, ".block.", part++);
  block.gate = {.reduce = gate + ".fc1",
                .expand = gate + ".fc2",
                .channels = block.width,
                .squeezed = block.inputs / kSqueeze,
                .activation = Silu{},
                .gate = Sigmoid{}};
  block.project = next();
}

void finish_lite0(InvertedResidual& block, int, int, int number) {
  block.name = concat("_blocks.", number);
  const auto names = [&](const char* conv, const char* norm) {
    return ConvNames{concat(block.name, '.', conv), concat(block.name, '.', norm)};
  };
  block.expand = names("_expand_conv", "_bn0");
  block.depthwise = names("_depthwise_conv", "_bn1");
  block.project = names("_project_conv", "_bn2");
}

int number_of_blocks() {
  std::int64_t blocks = 0;
  for (const Stage& stage : kStages) blocks += stage.blocks;
  return static_cast<int>(blocks);
}

void add_blocks(ModelBuilder& builder, const Family& family, const ZooOptions& options) {
  std::int64_t channels = kFirst;
  int number = 0;
  for (std::size_t s = 0; s < kStages.size(); ++s) {
    const Stage& stage = kStages[s];
    for (int i = 0; i < stage.blocks; ++i, ++number) {
      const float depth = static_cast<float>(number) / static_cast<float>(number_of_blocks());
      InvertedResidual block{.inputs = channels,
                             .width = channels * stage.expansion,
                             .filters = stage.filters,
                             .size = stage.size,
                             .stride = i == 0 ? stage.stride : 1,
                             .activation = family.activation,
                             .stochastic_depth = options.dropout ? kStochasticDepth * depth : 0};
      family.finish(block, static_cast<int>(s), i, number);
      zoo::add_inverted_residual(builder, family.convention, block);
      channels = block.filters;
    }
  }
}

Model build(const Family& family, const Shape& input, std::int64_t outputs,
            const ZooOptions& options) {
  ModelBuilder builder{std::string(family.name), input};
  builder.initializer(options.initializer);
  zoo::add_conv_norm(builder, family.convention,
                     {.names = family.first,
                      .filters = kFirst,
                      .size = 3,
                      .stride = 2,
                      .activation = family.activation});
  add_blocks(builder, family, options);
  zoo::add_conv_norm(builder, family.convention,
                     {.names = family.last, .filters = kLast, .activation = family.activation});
  if (outputs != 0) {
    builder.global_avg_pool();
    if (options.dropout) builder.dropout(kDropout);
    zoo::add_output(builder, family.output, outputs);
  }
  return builder.build();
}

}  // namespace

Model efficientnet_b0(const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  return build({.name = "efficientnet_b0",
                .convention = options.keras ? zoo::keras_norms(0.99F, 1e-3F, true) : zoo::kTorch,
                .activation = Silu{},
                .first = {"features.0.0", "features.0.1"},
                .last = {"features.8.0", "features.8.1"},
                .output = "classifier.1",
                .finish = finish_b0},
               input, outputs, options);
}

Model efficientnet_lite0(const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  return build({.name = "efficientnet_lite0",
                .convention = {.same = true, .momentum = 0.99F, .epsilon = 1e-3F},
                .activation = Relu6{},
                .first = {"_conv_stem", "_bn0"},
                .last = {"_conv_head", "_bn1"},
                .output = "_fc",
                .finish = finish_lite0},
               input, outputs, options);
}

std::string efficientnet_b0_keras_name(std::string_view layer) {
  if (layer == "features.0.0") return "stem_conv";
  if (layer == "features.0.1") return "stem_bn";
  if (layer == "features.8.0") return "top_conv";
  if (layer == "features.8.1") return "top_bn";
  if (layer == "classifier.1") return "predictions";
  std::int64_t channels = kFirst;
  for (int s = 0; s < static_cast<int>(kStages.size()); ++s) {
    const Stage& stage = kStages[static_cast<std::size_t>(s)];
    for (int i = 0; i < stage.blocks; ++i) {
      InvertedResidual block{.inputs = channels, .width = channels * stage.expansion};
      finish_b0(block, s, i, 0);
      const std::string keras = concat("block", s + 1, static_cast<char>('a' + i), '_');
      if (layer == block.expand.conv) return keras + "expand_conv";
      if (layer == block.expand.norm) return keras + "expand_bn";
      if (layer == block.depthwise.conv) return keras + "dwconv";
      if (layer == block.depthwise.norm) return keras + "bn";
      if (layer == block.gate->reduce) return keras + "se_reduce";
      if (layer == block.gate->expand) return keras + "se_expand";
      if (layer == block.project.conv) return keras + "project_conv";
      if (layer == block.project.norm) return keras + "project_bn";
      channels = stage.filters;
    }
  }
  return {};
}

}  // namespace millrace::nn

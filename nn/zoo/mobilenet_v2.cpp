#include <millrace/nn/zoo/mobilenet_v2.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/relu6.h>
#include <millrace/nn/zoo/blocks.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::nn {
namespace {

struct Stage {
  std::int64_t expansion, filters, blocks, stride;
};
constexpr std::array<Stage, 7> kStages{{{1, 16, 1, 1},
                                        {6, 24, 2, 2},
                                        {6, 32, 3, 2},
                                        {6, 64, 4, 2},
                                        {6, 96, 3, 1},
                                        {6, 160, 3, 2},
                                        {6, 320, 1, 1}}};
constexpr std::int64_t kFirst = 32, kLast = 1280;
constexpr double kLargestWidth = 64;
constexpr float kDropout = 0.2F;

std::int64_t widened(std::int64_t channels, const ZooOptions& options) {
  const double exact = static_cast<double>(channels) * options.width;
  return zoo::rounded_width(options.keras ? std::floor(exact) : exact);
}

/// Names of block `index`; the first one, which has nothing to expand, counts differently.
void name(zoo::InvertedResidual& block, std::int64_t index) {
  block.name = concat("features.", index);
  const auto part = [&](auto... parts) { return concat(block.name, ".conv.", parts...); };
  int place = 0;
  if (block.expands()) {
    block.expand = {part("0.0"), part("0.1")};
    place = 1;
  }
  block.depthwise = {part(place, ".0"), part(place, ".1")};
  block.project = {part(place + 1), part(place + 2)};
}

/// The blocks, from `channels` on; gives the number of the layer of features after them.
std::int64_t add_blocks(ModelBuilder& builder, const zoo::Convention& convention,
                        std::int64_t channels, const ZooOptions& options) {
  std::int64_t index = 1;
  for (const Stage& stage : kStages) {
    for (std::int64_t i = 0; i < stage.blocks; ++i) {
      zoo::InvertedResidual block{.inputs = channels,
                                  .width = channels * stage.expansion,
                                  .filters = widened(stage.filters, options),
                                  .stride = i == 0 ? stage.stride : 1,
                                  .activation = Relu6{}};
      name(block, index++);
      zoo::add_inverted_residual(builder, convention, block);
      channels = block.filters;
    }
  }
  return index;
}

}  // namespace

Model mobilenet_v2(const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  if (!(options.width > 0 && options.width <= kLargestWidth)) {
    throw UsageError(concat("mobilenet_v2: the width must be above 0 and at most ", kLargestWidth,
                            ", not ", options.width));
  }
  const zoo::Convention convention =
      options.keras ? zoo::keras_norms(0.999F, 1e-3F, true) : zoo::kTorch;
  ModelBuilder builder("mobilenet_v2", input);
  builder.initializer(options.initializer);
  const std::int64_t channels = widened(kFirst, options);
  zoo::add_conv_norm(builder, convention,
                     {.names = {"features.0.0", "features.0.1"},
                      .filters = channels,
                      .size = 3,
                      .stride = 2,
                      .activation = Relu6{}});
  const std::int64_t index = add_blocks(builder, convention, channels, options);
  const double last = static_cast<double>(kLast) * std::max(1.0, options.width);
  zoo::add_conv_norm(builder, convention,
                     {.names = {concat("features.", index, ".0"), concat("features.", index, ".1")},
                      .filters = zoo::rounded_width(last),
                      .activation = Relu6{}});
  if (outputs != 0) {
    builder.global_avg_pool();
    if (options.dropout && !options.keras) builder.dropout(kDropout);
    zoo::add_output(builder, "classifier.1", outputs);
  }
  return builder.build();
}

std::string mobilenet_v2_keras_name(std::string_view layer) {
  struct Part {
    std::string_view ours, keras;
  };
  constexpr std::array<Part, 5> kEnds{{{"features.0.0", "Conv1"},
                                       {"features.0.1", "bn_Conv1"},
                                       {"features.18.0", "Conv_1"},
                                       {"features.18.1", "Conv_1_bn"},
                                       {"classifier.1", "predictions"}}};
  constexpr std::array<Part, 4> kFirstBlock{
      {{"0.0", "depthwise"}, {"0.1", "depthwise_BN"}, {"1", "project"}, {"2", "project_BN"}}};
  constexpr std::array<Part, 6> kBlock{{{"0.0", "expand"},
                                        {"0.1", "expand_BN"},
                                        {"1.0", "depthwise"},
                                        {"1.1", "depthwise_BN"},
                                        {"2", "project"},
                                        {"3", "project_BN"}}};
  const auto in = [](const auto& parts, std::string_view name) {
    const auto found = std::ranges::find(parts, name, &Part::ours);
    return found == parts.end() ? std::string_view{} : found->keras;
  };
  const std::string_view end = in(kEnds, layer);
  if (!end.empty()) return std::string(end);
  for (int block = 1; block <= 17; ++block) {
    const std::string prefix = concat("features.", block, ".conv.");
    if (!layer.starts_with(prefix)) continue;
    const std::string_view rest = layer.substr(prefix.size());
    const std::string_view part = block == 1 ? in(kFirstBlock, rest) : in(kBlock, rest);
    if (part.empty()) return {};
    return block == 1 ? concat("expanded_conv_", part) : concat("block_", block - 1, '_', part);
  }
  return {};
}

}  // namespace millrace::nn

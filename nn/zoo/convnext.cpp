#include <millrace/nn/zoo/convnext.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/zoo/blocks.h>

#include <array>

namespace millrace::nn {
namespace {

struct Stage {
  std::int64_t channels;
  int blocks;
};
constexpr std::array<Stage, 4> kStages{{{96, 3}, {192, 3}, {384, 9}, {768, 3}}};
constexpr std::int64_t kExpansion = 4;
constexpr float kEpsilon = 1e-6F;
constexpr float kFirstScale = 1e-6F;
constexpr float kStochasticDepth = 0.1F;  // of the last block

constexpr const char* kScale = ".layer_scale";

int number_of_blocks() {
  int blocks = 0;
  for (const Stage& stage : kStages) blocks += stage.blocks;
  return blocks;
}

void add_block(ModelBuilder& builder, const std::string& name, std::int64_t channels, float rate) {
  const auto branch = [&](ModelBuilder& b) {
    b.conv({.filters = channels,
            .rows = 7,
            .columns = 7,
            .padding = Padding::all(3),
            .groups = channels})
        .named(name + ".block.0");
    b.layer_norm(kEpsilon).named(name + ".block.2");
    b.conv(channels * kExpansion, 1).named(name + ".block.3");
    b.gelu().named(name + ".block.3.gelu");
    b.conv(channels, 1).named(name + ".block.5");
    b.scale(kFirstScale).named(name + kScale);
    if (rate > 0) b.stochastic_depth(rate).named(name + ".stochastic_depth");
  };
  builder.residual(branch).named(name + ".add");
}

/// Before stage `s`: what makes the image smaller.
void add_reduction(ModelBuilder& builder, std::size_t s) {
  const std::string name = concat("features.", 2 * s);
  if (s == 0) {
    builder.conv(kStages[s].channels, 4, Padding::valid, 4).named(name + ".0");
    builder.layer_norm(kEpsilon).named(name + ".1");
  } else {
    builder.layer_norm(kEpsilon).named(name + ".0");
    builder.conv(kStages[s].channels, 2, Padding::valid, 2).named(name + ".1");
  }
}

}  // namespace

Model convnext_tiny(const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  ModelBuilder builder("convnext_tiny", input);
  builder.initializer(options.initializer);
  int number = 0;
  for (std::size_t s = 0; s < kStages.size(); ++s) {
    add_reduction(builder, s);
    for (int i = 0; i < kStages[s].blocks; ++i, ++number) {
      const float depth = static_cast<float>(number) / static_cast<float>(number_of_blocks() - 1);
      add_block(builder, concat("features.", 2 * s + 1, '.', i), kStages[s].channels,
                options.dropout ? kStochasticDepth * depth : 0);
    }
  }
  if (outputs != 0) {
    builder.global_avg_pool().layer_norm(kEpsilon).named("classifier.0");
    zoo::add_output(builder, "classifier.2", outputs);
  }
  return builder.build();
}

std::string convnext_tiny_keras_name(std::string_view layer) {
  const std::string keras = "convnext_tiny_";
  if (layer == "features.0.0") return keras + "stem_conv";
  if (layer == "features.0.1") return keras + "stem_layernorm";
  if (layer == "classifier.0") return keras + "head_layernorm";
  if (layer == "classifier.2") return keras + "head_dense";
  for (std::size_t s = 0; s < kStages.size(); ++s) {
    if (layer == concat("features.", 2 * s, ".0")) {
      return concat(keras, "downsampling_layernorm_", s - 1);
    }
    if (layer == concat("features.", 2 * s, ".1")) {
      return concat(keras, "downsampling_conv_", s - 1);
    }
    for (int i = 0; i < kStages[s].blocks; ++i) {
      const std::string ours = concat("features.", 2 * s + 1, '.', i);
      const std::string block = concat(keras, "stage_", s, "_block_", i, '_');
      if (layer == ours + ".block.0") return block + "depthwise_conv";
      if (layer == ours + ".block.2") return block + "layernorm";
      if (layer == ours + ".block.3") return block + "pointwise_conv_1";
      if (layer == ours + ".block.5") return block + "pointwise_conv_2";
      if (layer == ours + kScale) return block + "layer_scale";
    }
  }
  return {};
}

TorchTensor convnext_tiny_torch_tensor(const Parameter& parameter) {
  const std::string_view layer =
      std::string_view(parameter.name).substr(0, parameter.name.rfind('.'));
  const Shape& shape = parameter.shape;
  if (layer.ends_with(kScale)) return {std::string(layer), {shape[0], 1, 1}};
  const bool is_pointwise = layer.ends_with(".block.3") || layer.ends_with(".block.5");
  if (is_pointwise && shape.rank() == 4) return {parameter.name, {shape[0], shape[1]}};
  return {parameter.name, shape};
}

}  // namespace millrace::nn

#include <millrace/nn/zoo/resnet.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/max_pool2d.h>
#include <millrace/nn/layers/relu.h>
#include <millrace/nn/zoo/blocks.h>

#include <algorithm>
#include <array>

namespace millrace::nn {
namespace {

using zoo::Convention;

struct Depth {
  std::string_view name;
  std::array<int, 4> blocks;  // of each stage
  bool has_bottlenecks;
};
constexpr std::array<Depth, 3> kDepths{{{"resnet18", {2, 2, 2, 2}, false},
                                        {"resnet34", {3, 4, 6, 3}, false},
                                        {"resnet50", {3, 4, 6, 3}, true}}};
constexpr std::int64_t kFirstFilters = 64;  // and twice as many in each later stage
constexpr std::int64_t kBottleneck = 4;     // its last convolution has as many times the filters

const Depth& depth_of(std::string_view name) {
  const auto* const found = std::ranges::find(kDepths, name, &Depth::name);
  if (found == kDepths.end()) throw UsageError(concat("there is no ResNet '", name, "'"));
  return *found;
}

struct Block {
  std::string name;
  std::int64_t filters, stride;
  bool is_bottleneck, is_first;
  bool strides_first;  // Keras's place of the stride
};

void add_branch(ModelBuilder& builder, const Convention& convention, const Block& o) {
  const auto add = [&](int number, std::int64_t filters, std::int64_t size, std::int64_t stride,
                       bool is_last) {
    zoo::add_conv_norm(
        builder, convention,
        {.names = {concat(o.name, ".conv", number), concat(o.name, ".bn", number)},
         .filters = filters,
         .size = size,
         .stride = stride,
         .activation = is_last ? std::optional<LayerKind>() : std::optional<LayerKind>(Relu{})});
  };
  if (!o.is_bottleneck) {
    add(1, o.filters, 3, o.stride, false);
    add(2, o.filters, 3, 1, true);
    return;
  }
  add(1, o.filters, 1, o.strides_first ? o.stride : 1, false);
  add(2, o.filters, 3, o.strides_first ? 1 : o.stride, false);
  add(3, o.filters * kBottleneck, 1, 1, true);
}

void add_block(ModelBuilder& builder, const Convention& convention, const Block& o) {
  const bool is_projected = o.is_first && (o.stride != 1 || o.is_bottleneck);
  const auto branch = [&](ModelBuilder& b) { add_branch(b, convention, o); };
  const auto shortcut = [&](ModelBuilder& b) {
    if (!is_projected) return;
    zoo::add_conv_norm(b, convention,
                       {.names = {o.name + ".downsample.0", o.name + ".downsample.1"},
                        .filters = o.filters * (o.is_bottleneck ? kBottleneck : 1),
                        .stride = o.stride});
  };
  builder.residual(branch, shortcut).named(o.name + ".add");
  builder.relu().named(o.name + ".add.relu");
}

}  // namespace

Model resnet(std::string_view name, const Shape& input, std::int64_t outputs,
             const ZooOptions& options) {
  const Depth& depth = depth_of(name);
  if (options.keras && !depth.has_bottlenecks) {
    throw UsageError(concat("Keras has no ", name, "; of these it has resnet50"));
  }
  Convention convention = zoo::kTorch;
  if (options.keras) {
    convention = zoo::keras_norms(0.99F, 1.001e-5F, false);
    convention.bias = true;
  }
  ModelBuilder builder{std::string(name), input};
  builder.initializer(options.initializer);
  zoo::add_conv_norm(builder, convention,
                     {.names = {"conv1", "bn1"},
                      .filters = kFirstFilters,
                      .size = 7,
                      .stride = 2,
                      .activation = Relu{}});
  builder.max_pool({.size = 3, .stride = 2, .padding = Padding::all(1)}).named("max_pool");
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < depth.blocks[static_cast<std::size_t>(stage)]; ++block) {
      add_block(builder, convention,
                {.name = concat("layer", stage + 1, '.', block),
                 .filters = kFirstFilters << stage,
                 .stride = stage > 0 && block == 0 ? 2 : 1,
                 .is_bottleneck = depth.has_bottlenecks,
                 .is_first = block == 0,
                 .strides_first = options.keras});
    }
  }
  if (outputs != 0) {
    builder.global_avg_pool();
    zoo::add_output(builder, "fc", outputs);
  }
  return builder.build();
}

std::string resnet_keras_name(std::string_view layer) {
  if (layer == "conv1") return "conv1_conv";
  if (layer == "bn1") return "conv1_bn";
  if (layer == "fc") return "predictions";
  constexpr std::string_view kStage = "layer";
  // layer1.0.conv1
  if (!layer.starts_with(kStage) || layer.size() < 9 || layer[6] != '.' || layer[8] != '.') {
    return {};
  }
  const std::string block = concat("conv", layer[5] - '0' + 1, "_block", layer[7] - '0' + 1, '_');
  const std::string_view part = layer.substr(9);
  if (part == "downsample.0") return block + "0_conv";
  if (part == "downsample.1") return block + "0_bn";
  for (const std::string_view kind : {"conv", "bn"}) {
    const bool fits = part.size() == kind.size() + 1 && part.starts_with(kind);
    if (fits) return concat(block, part.back(), '_', kind);
  }
  return {};
}

}  // namespace millrace::nn

#include <millrace/nn/zoo/blocks.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/layers/conv2d.h>

#include <algorithm>

namespace millrace::nn::zoo {
namespace {

/// Adds a layer that has no weights, named after `name`.
void add_after(ModelBuilder& builder, const std::string& name, const LayerKind& kind) {
  builder.add(kind).named(concat(name, '.', kind_name(kind)));
}

}  // namespace

void add_conv_norm(ModelBuilder& builder, const Convention& convention, const ConvNorm& o) {
  builder
      .conv({.filters = o.filters,
             .rows = o.size,
             .columns = o.size,
             .stride = o.stride,
             .padding = convention.padding(o.size),
             .bias = convention.bias,
             .groups = o.groups})
      .named(o.names.conv);
  builder
      .batch_norm({.momentum = convention.momentum,
                   .epsilon = convention.epsilon,
                   .biased_variance = convention.biased_variance})
      .named(o.names.norm);
  if (o.activation) add_after(builder, o.names.conv, *o.activation);
}

void add_squeeze_excitation(ModelBuilder& builder, const SqueezeExcitation& o) {
  const auto image = [](ModelBuilder&) {};
  const auto gate = [&](ModelBuilder& b) {
    b.adaptive_avg_pool(1, 1).named(o.reduce + ".pool");
    b.conv(o.squeezed, 1).named(o.reduce);
    add_after(b, o.reduce, o.activation);
    b.conv(o.channels, 1).named(o.expand);
    add_after(b, o.expand, o.gate);
    b.flatten().named(o.expand + ".flatten");
  };
  builder.branches({image, gate}).multiply().named(o.expand + ".multiply");
}

void add_inverted_residual(ModelBuilder& builder, const Convention& convention,
                           const InvertedResidual& o) {
  const auto branch = [&](ModelBuilder& b) {
    if (o.expands()) {
      add_conv_norm(b, convention,
                    {.names = o.expand, .filters = o.width, .activation = o.activation});
    }
    add_conv_norm(b, convention,
                  {.names = o.depthwise,
                   .filters = o.width,
                   .size = o.size,
                   .stride = o.stride,
                   .groups = o.width,
                   .activation = o.activation});
    if (o.gate) add_squeeze_excitation(b, *o.gate);
    add_conv_norm(b, convention, {.names = o.project, .filters = o.filters});
    const bool is_residual = o.stride == 1 && o.inputs == o.filters;
    if (is_residual && o.stochastic_depth > 0) {
      b.stochastic_depth(o.stochastic_depth).named(o.name + ".stochastic_depth");
    }
  };
  if (o.stride == 1 && o.inputs == o.filters) {
    builder.residual(branch).named(o.name + ".add");
  } else {
    branch(builder);
  }
}

void add_output(ModelBuilder& builder, const std::string& name, std::int64_t outputs) {
  builder.dense(outputs).named(name);
  add_probabilities(builder, outputs);
}

void add_probabilities(ModelBuilder& builder, std::int64_t outputs) {
  outputs == 1 ? builder.sigmoid() : builder.softmax();
}

std::int64_t rounded_width(double channels) noexcept {
  constexpr std::int64_t kDivisor = 8;
  const std::int64_t rounded =
      std::max(kDivisor, static_cast<std::int64_t>(channels + kDivisor / 2) / kDivisor * kDivisor);
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + kDivisor : rounded;
}

}  // namespace millrace::nn::zoo

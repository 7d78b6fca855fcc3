#pragma once
// Models with a kind of layer in every place that it can have, for both engines beside float64.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model.h>

#include <vector>

namespace millrace::test {

/// The kind behind a convolution and before one, trained and frozen, in both branches of a
/// residual, and behind the input; `channels` are those that it gets.
inline std::vector<nn::Model> models_with(const nn::LayerKind& kind, std::int64_t channels) {
  using Builder = nn::ModelBuilder;
  const auto conv = [=](Builder& b) { b.conv(channels, 3, nn::Padding::same); };
  const auto alone = [=](Builder& b) { b.add(kind); };
  std::vector<nn::Model> models;
  const auto add = [&](const char* name, auto&& with) {
    Builder builder(name, {7, 6, 3});
    with(builder);
    models.push_back(builder.flatten().dense(4).softmax().build());
  };
  add("between", [&](Builder& b) { conv(b), b.add(kind).relu(), conv(b); });
  add("first", [&](Builder& b) { b.add(kind), conv(b); });
  add("branch", [&](Builder& b) {
    conv(b), b.relu().residual([&](Builder& c) { conv(c), alone(c); }, alone), conv(b);
  });
  nn::Model frozen = models.front();
  frozen.layers[1].trainable = false;
  models.push_back(frozen);
  return models;
}

/// Likewise on features.
inline nn::Model features_with(const nn::LayerKind& kind) {
  nn::ModelBuilder builder("features", {5, 4, 3});
  builder.conv(5).add(kind).flatten().add(kind).dense(9).add(kind).relu().dense(4).softmax();
  return builder.build();
}

struct PlacedKind {
  nn::LayerKind kind;
  bool can_have_features;
};

/// Kinds that have no list of cases of their own.
inline std::vector<PlacedKind> placed_kinds() {
  using namespace nn;
  std::vector<PlacedKind> kinds;
  kinds.push_back({LayerNorm{.epsilon = 0.1F}, true});
  kinds.push_back({Scale{.first = 0.5F}, true});
  kinds.push_back({StochasticDepth{.rate = 0.4F}, true});
  kinds.push_back({ZeroPadding{.top = 1, .bottom = 2, .right = 3}, false});
  kinds.push_back({Upsample{.rows = 2, .columns = 1}, false});
  kinds.push_back({Upsample{.rows = 1, .columns = 2}, false});
  return kinds;
}

}  // namespace millrace::test

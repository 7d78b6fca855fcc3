#pragma once
// Models whose values meet and part, for both engines beside float64.

#include <millrace/nn/model.h>

#include <vector>

namespace millrace::test {

/// `channels`: of the images in the branches.
inline std::vector<nn::Model> branch_models(std::int64_t channels) {
  using Builder = nn::ModelBuilder;
  const auto conv = [=](Builder& b) { b.conv(channels, 3, nn::Padding::same); };
  const auto wide = [=](Builder& b) { b.conv(2 * channels, 1).relu(); };
  const auto block = [=](Builder& b) { conv(b), b.batch_norm().relu(), conv(b), b.batch_norm(); };
  const auto gate = [=](Builder& b) {
    b.global_avg_pool().dense(4).relu().dense(channels).sigmoid();
  };
  const auto nothing = [](Builder&) {};
  std::vector<nn::Model> models;
  const auto add = [&](const char* name, auto&& with) {
    Builder builder(name, {7, 6, 3});
    conv(builder);
    with(builder);
    models.push_back(builder.flatten().dense(4).softmax().build());
  };
  add("residual", [&](Builder& b) { b.relu().residual(block).relu(), conv(b), b.relu(); });
  add("two residuals", [&](Builder& b) { b.relu().residual(block).relu().residual(conv).relu(); });
  add("three branches", [&](Builder& b) { b.branches({conv, nothing, conv}).add().relu(); });
  add("fire", [&](Builder& b) { b.relu().branches({wide, conv, wide}).concat().relu(), conv(b); });
  add("dense block", [&](Builder& b) { b.branches({nothing, conv}).concat().max_pool(); });
  add("gate", [&](Builder& b) { b.relu().branches({nothing, gate}).multiply(); });
  add("product", [&](Builder& b) { b.branches({conv, wide}), b.concat(); });
  add("square", [&](Builder& b) { b.branches({conv, conv}).multiply().relu(); });
  add("twice", [&](Builder& b) { b.relu().residual(nothing).sigmoid(); });
  add("dropped", [&](Builder& b) {
    b.residual([&](Builder& c) { conv(c), c.dropout(0.3F); }).max_pool().dropout(0.2F);
  });
  Builder features("features", {9});
  features.dense(8).relu().residual([](Builder& b) { b.dense(8).relu().dense(8); }).relu();
  features.branches({[](Builder& b) { b.dense(5).relu(); }, nothing}).concat();
  models.push_back(features.dense(4).softmax().build());
  nn::Model frozen = models.front();
  for (const std::size_t layer : {0U, 2U, 3U}) frozen.layers[layer].trainable = false;
  models.push_back(frozen);
  return models;
}

}  // namespace millrace::test

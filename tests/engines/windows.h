#pragma once
// Models of convolutions and poolings with every option of their windows, for the tests of the
// engines.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model.h>

#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

/// Two layers that train around `kind`, so that all its gradients are made.
inline nn::Model around(std::string name, std::int64_t channels, nn::LayerKind kind) {
  nn::ModelBuilder builder(std::move(name), {11, 9, 3});
  builder.conv(channels, 2).relu().add(std::move(kind)).relu().conv(4, 2);
  return builder.flatten().dense(4).softmax().build();
}

/// Depthwise ones for channels that fill blocks, that do not, and few of them; groups of as many
/// channels and filters as every device stores without padding.
inline std::vector<nn::Model> window_models() {
  using nn::Conv2D;
  using nn::Padding;
  std::vector<nn::Model> models;
  for (const std::int64_t channels : {3, 5, 16, 24}) {
    const std::string of = " of " + std::to_string(channels);
    models.push_back(around("depthwise" + of, channels,
                            Conv2D{.filters = channels,
                                   .padding = Padding::same,
                                   .bias = channels != 16,
                                   .groups = channels}));
    models.push_back(around(
        "depthwise, stride 2" + of, channels,
        Conv2D{.filters = channels, .stride = 2, .padding = Padding::all(1), .groups = channels}));
  }
  models.push_back(
      around("two filters a channel", 16, Conv2D{.filters = 32, .stride = 2, .groups = 16}));
  models.push_back(around("groups of 4", 16, Conv2D{.filters = 8, .groups = 4}));
  models.push_back(
      around("groups of 16", 32, Conv2D{.filters = 32, .padding = Padding::same, .groups = 2}));
  models.push_back(around("dilation", 32, Conv2D{.filters = 32, .dilation = 2}));
  models.push_back(around("dilation of rows, padding of every side", 5,
                          Conv2D{.filters = 7,
                                 .rows = 3,
                                 .columns = 2,
                                 .padding = Padding::sides(3, 1, 0, 2),
                                 .dilation = {3, 1}}));
  models.push_back(
      around("strides that differ", 6,
             Conv2D{.filters = 9, .stride = {1, 3}, .padding = Padding::sides(0, 1, 2, 0)}));
  models.push_back(
      around("padding wider than the window", 5,
             Conv2D{.filters = 6, .rows = 2, .columns = 2, .padding = Padding::all(3)}));
  models.push_back(around("everything", 16,
                          Conv2D{.filters = 16,
                                 .rows = 2,
                                 .columns = 3,
                                 .stride = {2, 1},
                                 .padding = Padding::sides(1, 0, 2, 1),
                                 .groups = 16,
                                 .dilation = {1, 2}}));
  return models;
}

inline std::vector<nn::Model> pooling_models(std::int64_t channels) {
  using nn::AdaptiveAvgPool;
  using nn::AvgPool2D;
  using nn::MaxPool2D;
  using nn::Padding;
  const Padding sides = Padding::sides(0, 2, 1, 0);
  const auto of = [channels](const char* name, nn::LayerKind kind) {
    return around(name, channels, std::move(kind));
  };
  return {
      of("max of a rectangle", MaxPool2D{.size = {2, 3}, .stride = {1, 2}}),
      of("max of rectangles side by side", MaxPool2D{.size = {2, 3}, .stride = {2, 3}}),
      of("max, padded", MaxPool2D{.size = 3, .stride = 2, .padding = Padding::all(1)}),
      of("max, padded on two sides", MaxPool2D{.size = 3, .stride = 2, .padding = sides}),
      of("max, ceil", MaxPool2D{.size = 3, .stride = 2, .ceil = true}),
      of("max, ceil, side by side", MaxPool2D{.size = 4, .stride = 4, .ceil = true}),
      of("max, ceil and padded",
         MaxPool2D{
             .size = {3, 2}, .stride = 2, .padding = Padding::sides(1, 1, 1, 0), .ceil = true}),
      of("average of a rectangle", AvgPool2D{.size = {3, 2}, .stride = {2, 1}}),
      of("average, padded", AvgPool2D{.size = 3, .stride = 2, .padding = sides}),
      of("average, padding counted",
         AvgPool2D{.size = 3, .stride = 2, .padding = sides, .count_padding = true}),
      of("average, same, padding counted",
         AvgPool2D{.size = 3, .stride = 2, .padding = Padding::same, .count_padding = true}),
      of("average, ceil", AvgPool2D{.size = 3, .stride = 2, .ceil = true}),
      of("adaptive average", AdaptiveAvgPool{.rows = 3, .columns = 2}),
      of("adaptive average of a pixel and a half", AdaptiveAvgPool{.rows = 7, .columns = 8}),
      of("adaptive average of more than there is", AdaptiveAvgPool{.rows = 13, .columns = 3}),
      of("average, ceil and padding counted", AvgPool2D{.size = 3,
                                                        .stride = {2, 3},
                                                        .padding = Padding::all(1),
                                                        .ceil = true,
                                                        .count_padding = true}),
  };
}

}  // namespace millrace::test

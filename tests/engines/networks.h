#pragma once
// Networks that people start from, as torchvision builds them, for 150x150 images.

#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/layers/max_pool2d.h>
#include <millrace/nn/model.h>

namespace millrace::test {

inline nn::ModelBuilder& normed(nn::ModelBuilder& b, std::int64_t filters, std::int64_t size,
                                std::int64_t stride, std::int64_t groups = 1) {
  return b
      .conv({.filters = filters,
             .rows = size,
             .columns = size,
             .stride = stride,
             .padding = nn::Padding::all(size / 2),
             .bias = false,
             .groups = groups})
      .batch_norm();
}

inline nn::Model resnet18() {
  nn::ModelBuilder b("resnet18", {150, 150, 3});
  normed(b, 64, 7, 2).relu().max_pool({.size = 3, .stride = 2, .padding = nn::Padding::all(1)});
  std::int64_t before = 64;
  for (const std::int64_t filters : {64, 64, 128, 128, 256, 256, 512, 512}) {
    const std::int64_t stride = filters == before ? 1 : 2;
    const auto inner = [&](nn::ModelBuilder& c) {
      normed(c, filters, 3, stride).relu();
      normed(c, filters, 3, 1);
    };
    const auto shortcut = [&](nn::ModelBuilder& c) {
      if (stride != 1) normed(c, filters, 1, stride);
    };
    b.residual(inner, shortcut).relu();
    before = filters;
  }
  return b.global_avg_pool().dense(1000).softmax().build();
}

inline nn::Model mobilenet_v2() {
  struct Stage {
    std::int64_t expansion, filters, count, stride;
  };
  nn::ModelBuilder b("mobilenet_v2", {150, 150, 3});
  normed(b, 32, 3, 2).relu6();
  std::int64_t before = 32;
  for (const Stage& s : {Stage{1, 16, 1, 1},
                         {6, 24, 2, 2},
                         {6, 32, 3, 2},
                         {6, 64, 4, 2},
                         {6, 96, 3, 1},
                         {6, 160, 3, 2},
                         {6, 320, 1, 1}}) {
    for (std::int64_t i = 0; i < s.count; ++i) {
      const std::int64_t stride = i == 0 ? s.stride : 1, wide = before * s.expansion;
      const auto inner = [&](nn::ModelBuilder& c) {
        if (s.expansion != 1) normed(c, wide, 1, 1).relu6();
        normed(c, wide, 3, stride, wide).relu6();
        normed(c, s.filters, 1, 1);
      };
      stride == 1 && before == s.filters ? (void)b.residual(inner) : inner(b);
      before = s.filters;
    }
  }
  return normed(b, 1280, 1, 1)
      .relu6()
      .global_avg_pool()
      .dropout(0.2F)
      .dense(1000)
      .softmax()
      .build();
}

inline nn::Model squeezenet() {
  nn::ModelBuilder b("squeezenet", {150, 150, 3});
  b.conv(64, 3, nn::Padding::valid, 2).relu();
  const auto fire = [&](std::int64_t squeeze, std::int64_t expand) {
    b.conv(squeeze, 1).relu();
    b.branches({[=](nn::ModelBuilder& c) { c.conv(expand, 1).relu(); },
                [=](nn::ModelBuilder& c) { c.conv(expand, 3, nn::Padding::same).relu(); }});
    b.concat();
  };
  const auto pool = [&] { b.max_pool({.size = 3, .stride = 2, .ceil = true}); };
  pool(), fire(16, 64), fire(16, 64), pool(), fire(32, 128), fire(32, 128), pool();
  fire(48, 192), fire(48, 192), fire(64, 256), fire(64, 256);
  return b.dropout(0.5F).conv(1000, 1).relu().global_avg_pool().softmax().build();
}

}  // namespace millrace::test

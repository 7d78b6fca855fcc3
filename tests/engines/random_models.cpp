#include "engines/random_models.h"

#include <millrace/core/random.h>
#include <millrace/nn/layers/kinds.h>

#include <array>
#include <vector>

namespace millrace::test {
namespace {

using nn::ModelBuilder;
using nn::Padding;

struct Image {
  std::int64_t rows, columns, channels;
};

class Grower {
 public:
  Grower(std::uint64_t seed, Groups groups) : random_(seed, 0, 0, Purpose::user), groups_(groups) {}

  nn::Model model(std::uint64_t seed) {
    Image image{1 + below(7), 1 + below(7), channels()};
    ModelBuilder builder(concat("random ", seed), {image.rows, image.columns, image.channels});
    for (std::int64_t i = 3 + below(5); i > 0; --i) image = grow(builder, image, 2);
    below(2) == 0 ? builder.flatten() : builder.global_avg_pool();
    if (below(3) == 0) builder.residual([](ModelBuilder& b) { b.relu(); });
    nn::Model result = builder.dense(3).build();
    for (std::size_t i = 0; i + 1 < result.layers.size(); ++i) {
      result.layers[i].trainable = below(5) != 0;
    }
    return result;
  }

 private:
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(n)));
  }

  /// Fewer than a block of channels mostly, or a whole one, or more.
  std::int64_t channels() {
    constexpr std::array<std::int64_t, 12> kDraws{1, 1, 2, 2, 3, 3, 4, 4, 5, 8, 16, 17};
    return kDraws[random_.below(kDraws.size())];
  }

  /// Appends something to an image; `depth`: how deep branches may still go. Returns what comes
  /// out.
  Image grow(ModelBuilder& b, Image image, int depth) {
    const std::int64_t choice = below(depth > 0 ? 12 : 7);
    switch (choice) {
      case 0:
      case 1: return convolution(b, image, channels());
      case 2:
      case 3: activation(b); return image;
      case 4: b.batch_norm(); return image;
      case 5: return pooling(b, image);
      case 6: anything(b, image); return image;
      case 7:
      case 8: b.residual([&](ModelBuilder& c) { chain(c, image, depth - 1); }); break;
      case 9: return side_by_side(b, image, depth - 1);
      case 10: {
        const auto grown = [&](ModelBuilder& c) { chain(c, image, depth - 1); };
        b.branches({grown, grown}).multiply();
        break;
      }
      default: gate(b, image);
    }
    return image;
  }

  Image convolution(ModelBuilder& b, Image image, std::int64_t filters) {
    nn::Conv2D conv{.filters = filters, .padding = Padding::same, .bias = below(2) == 0};
    conv.rows = 1 + below(3);
    conv.columns = 1 + below(3);
    if (below(4) == 0) conv.dilation = {1 + below(2), 2};
    if (below(3) == 0) {  // one group a channel, or two groups
      const bool by_two = image.channels % 2 == 0 && below(2) == 0 && groups_ == Groups::any;
      conv.groups = by_two ? 2 : image.channels;
      conv.filters = conv.groups * (groups_ == Groups::any ? 1 + below(2) : 1);
    }
    b.add(conv);
    image.channels = conv.filters;
    return image;
  }

  void activation(ModelBuilder& b) {
    switch (below(9)) {
      case 0: b.relu(); break;
      case 1: b.sigmoid(); break;
      case 2: b.tanh(); break;
      case 3: b.relu6(); break;
      case 4: b.leaky_relu(0.2F); break;
      case 5: b.silu(); break;
      case 6: b.gelu(); break;
      case 7: b.hard_swish(); break;
      default: b.hard_sigmoid();
    }
  }

  /// Keeps the shape.
  void anything(ModelBuilder& b, const Image&) {
    switch (below(5)) {
      case 0: b.dropout(0.3F); break;
      case 1: b.softmax(); break;
      case 2: b.layer_norm(0.1F); break;
      case 3: b.scale(0.5F); break;
      default: b.stochastic_depth(0.3F);
    }
  }

  Image pooling(ModelBuilder& b, Image image) {
    if (image.rows < 4 || image.columns < 4) return enlargement(b, image);
    switch (below(5)) {
      case 0: b.max_pool(); return {image.rows / 2, image.columns / 2, image.channels};
      case 1: b.avg_pool(); return {image.rows / 2, image.columns / 2, image.channels};
      case 2:
        b.add(nn::MaxPool2D{.size = 3, .stride = 2, .padding = Padding::all(1), .ceil = true});
        return {image.rows / 2 + 1, image.columns / 2 + 1, image.channels};
      case 3: b.add(nn::AdaptiveAvgPool{.rows = 3, .columns = 2}); return {3, 2, image.channels};
      default:
        b.add(nn::Conv2D{.filters = 3, .stride = {2, 1}, .padding = Padding::sides(0, 1, 2, 0)});
        return {(image.rows - 2) / 2 + 1, image.columns, 3};
    }
  }

  Image enlargement(ModelBuilder& b, Image image) {
    switch (below(3)) {
      case 0: b.upsample(2, 1); return {2 * image.rows, image.columns, image.channels};
      case 1: b.adaptive_avg_pool(2, 3); return {2, 3, image.channels};
      default:
        b.zero_padding(1, 0, 0, 1);
        return {image.rows + 1, image.columns + 1, image.channels};
    }
  }

  /// Something that ends in the shape that it begins with.
  void chain(ModelBuilder& b, const Image& image, int depth) {
    Image now = image;
    for (std::int64_t i = below(3); i > 0; --i) {
      const std::int64_t choice = below(4);
      if (choice == 0) now = convolution(b, now, channels());
      if (choice == 1) activation(b);
      if (choice == 2) b.batch_norm();
      if (choice == 3 && depth > 0) {
        b.residual([&](ModelBuilder& c) { chain(c, now, depth - 1); });
      }
    }
    if (now.channels != image.channels) b.conv(image.channels, 3, Padding::same);
  }

  Image side_by_side(ModelBuilder& b, const Image& image, int depth) {
    std::vector<ModelBuilder::Branch> branches;
    const std::int64_t count = 2 + below(2);
    for (std::int64_t i = 0; i < count; ++i) {
      branches.emplace_back([this, image, depth](ModelBuilder& c) { chain(c, image, depth); });
    }
    b.branches(branches).concat();
    return {image.rows, image.columns, image.channels * count};
  }

  void gate(ModelBuilder& b, const Image& image) {
    b.branches({[](ModelBuilder&) {},
                [&](ModelBuilder& c) {
                  c.global_avg_pool().dense(2).relu().dense(image.channels).sigmoid();
                }});
    b.multiply();
  }

  Random random_;
  Groups groups_;
};

}  // namespace

nn::Model random_model(std::uint64_t seed, Groups groups) {
  return Grower(seed, groups).model(seed);
}

}  // namespace millrace::test

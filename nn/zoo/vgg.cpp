#include <millrace/nn/zoo/vgg.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>

namespace millrace::nn {
namespace {

constexpr std::int64_t kSmallestSide = 32;  // five poolings leave one pixel
constexpr std::int64_t kHidden = 4096;

struct Block {
  int convolutions;
  std::int64_t filters;
};
constexpr std::array<Block, 5> kBlocks{{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}};

struct LayerNames {
  std::string_view ours, keras;
};
constexpr std::array<LayerNames, 16> kNames{{{"features.0", "block1_conv1"},
                                             {"features.2", "block1_conv2"},
                                             {"features.5", "block2_conv1"},
                                             {"features.7", "block2_conv2"},
                                             {"features.10", "block3_conv1"},
                                             {"features.12", "block3_conv2"},
                                             {"features.14", "block3_conv3"},
                                             {"features.17", "block4_conv1"},
                                             {"features.19", "block4_conv2"},
                                             {"features.21", "block4_conv3"},
                                             {"features.24", "block5_conv1"},
                                             {"features.26", "block5_conv2"},
                                             {"features.28", "block5_conv3"},
                                             {"classifier.0", "fc1"},
                                             {"classifier.3", "fc2"},
                                             {"classifier.6", "predictions"}}};

void add_features(ModelBuilder& builder) {
  int index = 0;
  const auto name = [&] { return concat("features.", index++); };
  for (const Block& block : kBlocks) {
    for (int i = 0; i < block.convolutions; ++i) {
      builder.conv(block.filters, 3, Padding::same).named(name()).relu().named(name());
    }
    builder.max_pool().named(name());
  }
}

void add_classifier(ModelBuilder& builder, std::int64_t outputs, bool dropout) {
  builder.flatten().named("flatten");
  // torchvision counts its dropout layers; the numbers stay without them.
  for (const int first : {0, 3}) {
    const auto name = [&](int offset) { return concat("classifier.", first + offset); };
    builder.dense(kHidden).named(name(0)).relu().named(name(1));
    if (dropout) builder.dropout(0.5F).named(name(2));
  }
  builder.dense(outputs).named("classifier.6");
  outputs == 1 ? builder.sigmoid() : builder.softmax();
}

}  // namespace

Model vgg16(const Shape& input, std::int64_t outputs, const VggOptions& options) {
  if (input.rank() != 3 || std::min(input[0], input[1]) < kSmallestSide) {
    throw UsageError(concat("model 'vgg16': needs images of at least ", kSmallestSide, 'x',
                            kSmallestSide, " pixels, not ", input));
  }
  ModelBuilder builder("vgg16", input);
  builder.initializer(options.initializer);
  add_features(builder);
  if (outputs != 0) add_classifier(builder, outputs, options.dropout);
  return builder.build();
}

std::string_view vgg16_keras_name(std::string_view layer) noexcept {
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const LayerNames& names) { return names.ours == layer; });
  return found == kNames.end() ? std::string_view{} : found->keras;
}

}  // namespace millrace::nn

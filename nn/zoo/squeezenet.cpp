#include <millrace/nn/zoo/squeezenet.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/max_pool2d.h>
#include <millrace/nn/zoo/blocks.h>

#include <array>

namespace millrace::nn {
namespace {

constexpr std::int64_t kFirstFilters = 64;
constexpr float kDropout = 0.5F;

struct Fire {
  int index;  // in features
  std::int64_t squeeze, expand;
  bool is_after_pool;
};
constexpr std::array<Fire, 8> kFires{{{3, 16, 64, true},
                                      {4, 16, 64, false},
                                      {6, 32, 128, true},
                                      {7, 32, 128, false},
                                      {9, 48, 192, true},
                                      {10, 48, 192, false},
                                      {11, 64, 256, false},
                                      {12, 64, 256, false}}};

void add_conv(ModelBuilder& builder, const std::string& name, std::int64_t filters,
              std::int64_t size) {
  builder.conv(filters, size, Padding::all(size / 2)).named(name);
  builder.relu().named(name + ".relu");
}

void add_fire(ModelBuilder& builder, const Fire& fire) {
  const std::string name = concat("features.", fire.index);
  add_conv(builder, name + ".squeeze", fire.squeeze, 1);
  builder
      .branches({[&](ModelBuilder& b) { add_conv(b, name + ".expand1x1", fire.expand, 1); },
                 [&](ModelBuilder& b) { add_conv(b, name + ".expand3x3", fire.expand, 3); }})
      .concat()
      .named(name + ".concat");
}

}  // namespace

Model squeezenet1_1(const Shape& input, std::int64_t outputs, const ZooOptions& options) {
  ModelBuilder builder("squeezenet1_1", input);
  builder.initializer(options.initializer);
  builder.conv(kFirstFilters, 3, Padding::valid, 2).named("features.0");
  builder.relu().named("features.0.relu");
  for (const Fire& fire : kFires) {
    if (fire.is_after_pool) {
      builder.max_pool({.size = 3, .stride = 2, .ceil = !options.keras})
          .named(concat("features.", fire.index - 1, ".max_pool"));
    }
    add_fire(builder, fire);
  }
  if (outputs != 0) {
    if (options.dropout) builder.dropout(kDropout).named("classifier.0");
    builder.conv(outputs, 1).named("classifier.1");
    if (outputs > 1) builder.relu().named("classifier.1.relu");
    builder.global_avg_pool();
    zoo::add_probabilities(builder, outputs);
  }
  return builder.build();
}

std::string squeezenet1_1_keras_name(std::string_view layer) {
  if (layer == "features.0") return "conv1";
  if (layer == "classifier.1") return "conv10";
  for (std::size_t i = 0; i < kFires.size(); ++i) {
    const std::string name = concat("features.", kFires[i].index, '.');
    const std::string fire = concat("fire", i + 2, '/');
    if (layer == name + "squeeze") return fire + "squeeze1x1";
    if (layer == name + "expand1x1") return fire + "expand1x1";
    if (layer == name + "expand3x3") return fire + "expand3x3";
  }
  return {};
}

}  // namespace millrace::nn

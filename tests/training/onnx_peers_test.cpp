// Exported graphs in onnxruntime beside our CPU engine; onnx.checker looks at each.

#include "engines/branches.h"
#include "engines/compare.h"
#include "engines/kinds.h"
#include "engines/networks.h"
#include "engines/random_models.h"
#include "engines/windows.h"
#include "io/scratch.h"
#include "training/onnx_files.h"

#include <millrace/core/random.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/zoo.h>

#include <optional>
#include <string_view>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Logits show what probabilities hide.
nn::Model without_head(nn::Model model) {
  if (model.layers.back().kind.is<nn::Softmax>() && model.layers.size() > 1) {
    model.layers.pop_back();
  }
  return model;
}

std::vector<float> random_samples(const nn::Model& model, std::int64_t count, std::uint64_t seed) {
  Random random(seed, 3, 0, Purpose::user);
  std::vector<float> values(static_cast<std::size_t>(count * model.input.elements()));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

void add(OnnxFiles& files, const std::string& title, const nn::Model& model,
         const OnnxOptions& options = {}, std::int64_t count = 3) {
  const SavedModel saved{model, random_weights(model, 5)};
  files.add(title, saved, random_samples(model, count, 7), options);
}

/// Each kind of layer alone behind a convolution, with other options than its own where it has any.
std::vector<nn::Model> kind_models() {
  std::vector<nn::Model> models;
  const auto model_of = [&](const nn::LayerKind& kind) {
    nn::ModelBuilder builder(kind_name(kind), {9, 8, 3});
    builder.conv(5);
    if (kind.is<nn::Dense>()) builder.flatten();
    const int inputs = kind.facts().least_inputs;
    if (inputs > 1) {
      builder.branches({[](auto& b) { b.conv(5, 1); }, [](auto& b) { b.tanh(); }});
    }
    builder.add(kind);
    const bool is_image = nn::summarize(builder.build()).back().output.rank() == 3;
    if (is_image) builder.flatten();
    models.push_back(builder.build());
  };
  nn::LeakyRelu leaky;
  leaky.negative_slope = 0.3F;
#define MILLRACE_MODEL_OF_KIND(Kind)                                                             \
  if constexpr (!std::is_same_v<nn::Kind, nn::Conv2D> && !std::is_same_v<nn::Kind, nn::Dense>) { \
    model_of(nn::Kind{});                                                                        \
  }
  MILLRACE_LAYER_KINDS(MILLRACE_MODEL_OF_KIND)
  model_of(leaky);
  model_of(nn::Dense{.units = 4});
  model_of(nn::Conv2D{.filters = 4, .bias = false});
  model_of(nn::BatchNorm{.epsilon = 0.5F});
  for (const PlacedKind& placed : placed_kinds()) {
    model_of(placed.kind);
    if (placed.can_have_features) models.push_back(features_with(placed.kind));
  }
  return models;
}

}  // namespace

TEST_CASE("onnxruntime gives our outputs for every kind of layer and every opset") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  OnnxFiles files(scratch.path());
  for (const nn::Model& model : kind_models()) {
    const bool has_norm = std::ranges::any_of(
        model.layers, [](const nn::Layer& layer) { return layer.kind.is<nn::LayerNorm>(); });
    for (int opset = has_norm ? 17 : kLeastOpset; opset <= kMostOpset; ++opset) {
      add(files, model.name, model, {.opset = opset});
    }
  }
  files.check(*python);
}

TEST_CASE("onnxruntime gives our outputs for all windows, branches and random graphs") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  OnnxFiles files(scratch.path());
  for (const auto& models : {window_models(), pooling_models(5), branch_models(6)}) {
    for (const nn::Model& model : models) {
      for (const int opset : {kLeastOpset, kUsualOpset, kMostOpset}) {
        add(files, model.name, without_head(model), {.opset = opset});
      }
    }
  }
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    add(files, concat("random ", seed), random_model(seed),
        {.opset = 17 + static_cast<int>(seed % 6)});
  }
  files.check(*python);
}

TEST_CASE("onnxruntime gives our outputs for networks of the zoo") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  OnnxFiles files(scratch.path());
  add(files, "mlp", nn::zoo_model("mlp:50,20", {28, 28, 1}, 10));
  add(files, "mlp of a table", nn::zoo_model("mlp:50", {13}, 1));
  add(files, "cnn", nn::zoo_model("cnn", {150, 150, 3}, 2), {}, 2);
  for (const std::string_view name : nn::zoo_networks()) {
    if (name.starts_with("vgg") && name != "vgg16" && name != "vgg11_bn") continue;
    add(files, std::string(name), without_head(nn::zoo_model(name, {64, 64, 3}, 7)), {}, 2);
  }
  // Squeeze and excitation in an inverted residual, as MobileNetV3 has it.
  nn::ModelBuilder se("squeeze and excitation", {32, 32, 3});
  normed(se, 16, 3, 2).hard_swish();
  se.residual([](nn::ModelBuilder& b) {
    normed(b, 64, 1, 1).hard_swish();
    normed(b, 64, 5, 1, 64).hard_swish();
    b.branches({[](nn::ModelBuilder&) {},
                [](nn::ModelBuilder& c) {
                  c.global_avg_pool().dense(16).relu().dense(64).hard_sigmoid();
                }});
    normed(b.multiply(), 16, 1, 1);
  });
  add(files, "squeeze and excitation", se.global_avg_pool().dense(5).build());
  // ConvNeXt's block.
  nn::ModelBuilder next("convnext", {32, 32, 3});
  next.conv(16, 4, nn::Padding::valid, 4).layer_norm(1e-6F);
  next.residual([](nn::ModelBuilder& b) {
    b.depthwise_conv(7, nn::Padding::same).layer_norm(1e-6F).conv(64, 1).gelu().conv(16, 1);
    b.scale(0.1F).stochastic_depth(0.1F);
  });
  add(files, "convnext", next.global_avg_pool().layer_norm(1e-6F).dense(5).build());
  files.check(*python);
}

TEST_CASE("onnxruntime gives our outputs for pixels where preprocessing is in the graph") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  OnnxFiles files(scratch.path());
  const std::int64_t count = 3;
  for (const char* family : {"caffe", "tf", "torch", "rescale"}) {
    nn::Model model = nn::zoo_model("cnn:4,6:8", {20, 22, 3}, 3);
    model.preprocessing = nn::preprocessing_named(family);
    model = without_head(model);
    const SavedModel saved{model, random_weights(model, 5)};
    Random random(9, 4, 0, Purpose::user);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * model.input.elements()));
    for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));

    const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();
    Budget budget;
    Pool<HostBatch> hosts("host", 1, HostBatchFactory{.sample = model.input, .capacity = count},
                          budget);
    Pool<DeviceBatch> devices("device", 1,
                              DeviceBatchFactory{engine, model.input, DType::u8, count}, budget);
    const Lease<HostBatch> host = hosts.try_acquire();
    host->size = count;
    std::ranges::copy(pixels, host->pixels.as<std::uint8_t>().begin());
    const Lease<DeviceBatch> device = CopyToDevice(engine)({host, devices.try_acquire()});
    Cast(model.preprocessing, model.input)(device);
    const auto normalised = device->view().input.as<float>();
    const std::vector<float> raw(pixels.begin(), pixels.end());
    files.add(family, saved, {.with_preprocessing = true}, raw,
              outputs_for(saved, normalised.first(raw.size())));
    // Outside the graph the same is done to the samples.
    files.add(concat(family, " outside"), saved, normalised.first(raw.size()));
  }
  nn::Model table = nn::zoo_model("mlp:5", {4}, 3);
  table.preprocessing.mean = {1, -2, 3, 0};
  table.preprocessing.deviation = {2, 0.5F, 4, 1};
  const SavedModel saved{table, random_weights(table, 5)};
  const std::vector<float> rows{3, -1, 7, 2, 1, -2, 3, 0}, numbers{1, 2, 1, 2, 0, 0, 0, 0};
  files.add("table", saved, {.with_preprocessing = true}, rows, outputs_for(saved, numbers));
  files.check(*python);
}

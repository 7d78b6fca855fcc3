// Gradients of the reference engine against central differences of its own loss, in float64. The
// loss is smooth where no ReLU is at 0 and no two pixels of a window are equal, which random
// numbers never are; the step of 1e-5 leaves 1e-10 of truncation and 1e-11 of rounding.

#include <millrace/core/random.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>

#include "catch.h"

#include <cmath>

namespace {

using namespace millrace;
using namespace millrace::nn;

constexpr double kStep = 1e-5;
constexpr std::int64_t kSamples = 3;

/// Random parameters, and a random batch with soft labels and weights.
class Fixture {
 public:
  explicit Fixture(Model model, double l2 = 0, double label_smoothing = 0)
      : model_(std::move(model)), all_(parameters(model_)) {
    Random random(7, 0, 0, Purpose::user);
    const std::int64_t k = summarize(model_).back().output.elements();
    input_.resize(static_cast<std::size_t>(kSamples * model_.input.elements()));
    labels_.resize(static_cast<std::size_t>(kSamples * k));
    for (float& value : input_) value = static_cast<float>(random.normal());
    for (float& value : labels_) value = static_cast<float>(random.uniform());
    batch_ = {
        .input = ConstTensorView(std::span<const float>(input_), model_.input.with_front(kSamples)),
        .labels = ConstTensorView(std::span<const float>(labels_), {kSamples, k}),
        .weights = weights_,
        .samples = kSamples,
        .pass = 4,
        .positions = positions_};
    executor_ = ReferenceEngine().compile_reference(
        model_,
        {.batch = kSamples, .label_smoothing = label_smoothing, .gradient = {.l2 = l2}, .seed = 5});
    executor_->allocate();
    for (const Parameter& parameter : all_) {
      for (double& value : values(parameter)) {
        const double draw = random.normal();
        value = parameter.role == Role::running_variance ? 0.5 + draw * draw : 0.6 * draw;
      }
    }
  }

  /// Training's loss at the parameters as they are. Running statistics move, but no loss reads
  /// those of a layer that trains.
  double loss() { return executor_->gradients(batch_).mean_loss(); }

  void check_all() {
    loss();
    const std::vector<double> gradient(executor_->gradient().begin(), executor_->gradient().end());
    for (const Parameter& parameter : all_) {
      if (!parameter.trainable) continue;
      const auto weights = values(parameter);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const double middle = weights[i];
        weights[i] = middle + kStep;
        const double above = loss();
        weights[i] = middle - kStep;
        const double below = loss();
        weights[i] = middle;
        const double expected = (above - below) / (2 * kStep);
        INFO(parameter.name << "[" << i << "]");
        CHECK(gradient[static_cast<std::size_t>(parameter.offset) + i] ==
              Approx(expected).epsilon(1e-6).margin(1e-9));
      }
    }
  }

 private:
  std::span<double> values(const Parameter& parameter) {
    return executor_->parameters().subspan(static_cast<std::size_t>(parameter.offset),
                                           static_cast<std::size_t>(parameter.shape.elements()));
  }

  Model model_;
  std::vector<Parameter> all_;
  std::vector<float> input_, labels_;
  std::vector<float> weights_{0.5F, 2.0F, 1.25F};
  std::vector<std::uint64_t> positions_{3, 9, 4};
  Batch batch_;
  std::unique_ptr<ReferenceExecutor> executor_;
};

/// A layer between two that train: its own gradients, and the one that it passes on.
Model between(LayerKind kind) {
  ModelBuilder builder("between", {6, 7, 2});
  builder.conv(2, 2).add(kind);
  return builder.flatten().dense(3).softmax().build();
}

TEST_CASE("Gradients of layers on images are those of finite differences") {
  const auto [name, kind] = GENERATE(table<const char*, LayerKind>({
      {"conv", Conv2D{.filters = 3, .rows = 2, .columns = 3}},
      {"conv, stride 2", Conv2D{.filters = 2, .stride = 2, .bias = false}},
      {"conv, same padding", Conv2D{.filters = 2, .stride = 2, .padding = Padding::same}},
      {"conv, in groups", Conv2D{.filters = 4, .stride = {2, 1}, .groups = 2}},
      {"conv, dilated and padded",
       Conv2D{.filters = 3, .padding = Padding::sides(2, 0, 1, 3), .dilation = {2, 1}}},
      {"max pool of a rectangle, ceil",
       MaxPool2D{.size = {2, 3}, .padding = Padding::all(1), .ceil = true}},
      {"average pool, padding counted, ceil", AvgPool2D{.size = 3,
                                                        .stride = {2, 1},
                                                        .padding = Padding::sides(0, 1, 2, 0),
                                                        .ceil = true,
                                                        .count_padding = true}},
      {"max pool", MaxPool2D{.size = 3, .stride = 2}},
      {"max pool, same padding", MaxPool2D{.size = 2, .stride = 2, .padding = Padding::same}},
      {"average pool", AvgPool2D{.size = 2, .stride = 1}},
      {"average pool, same padding", AvgPool2D{.size = 3, .stride = 2, .padding = Padding::same}},
      {"adaptive average pool", AdaptiveAvgPool{.rows = 3, .columns = 4}},
      {"relu", Relu{}},
      {"softmax", Softmax{}},
      {"dropout", Dropout{.rate = 0.4F}},
      {"batch norm", BatchNorm{}},
  }));
  INFO(name);
  Fixture(between(kind)).check_all();
}

template <class Kind>
void check_elementwise() {
  INFO(Kind::kFacts.name);
  Fixture(between(Kind{})).check_all();
}

TEST_CASE("Gradients of every elementwise kind are those of finite differences") {
#define MILLRACE_CHECK_ELEMENTWISE(Kind) check_elementwise<Kind>();
  MILLRACE_ELEMENTWISE_KINDS(MILLRACE_CHECK_ELEMENTWISE)
}

TEST_CASE("Gradients of layers on features are those of finite differences") {
  Fixture(ModelBuilder("m", {4})
              .dense(5)
              .batch_norm({.epsilon = 1e-3F})
              .sigmoid()
              .dropout(0.3F)
              .dense(4, false)
              .softmax()
              .dense(3)
              .softmax()
              .build())
      .check_all();
  Fixture(ModelBuilder("m", {5, 4, 2}).conv(3, 2).global_avg_pool().dense(2).sigmoid().build())
      .check_all();
}

TEST_CASE("Gradients with L2 and label smoothing are those of finite differences") {
  Fixture(ModelBuilder("m", {5, 4, 2}).conv(3, 2).flatten().dense(3).softmax().build(), 0.1, 0.2)
      .check_all();
  Fixture(ModelBuilder("m", {4}).dense(3).batch_norm().dense(2).sigmoid().build(), 0.05, 0.1)
      .check_all();
}

TEST_CASE("Gradients of branches that meet are those of finite differences") {
  const auto conv = [](ModelBuilder& b) { b.conv(2, 3, Padding::same); };
  const auto gate = [](ModelBuilder& b) { b.global_avg_pool().dense(2).sigmoid(); };
  const auto nothing = [](ModelBuilder&) {};
  const auto with = [&](auto&& join) {
    ModelBuilder builder("m", {5, 4, 2});
    builder.conv(2, 2);
    join(builder);
    return builder.flatten().dense(3).softmax().build();
  };
  Fixture(with([&](ModelBuilder& b) { b.residual(conv).relu(); })).check_all();
  Fixture(with([&](ModelBuilder& b) { b.branches({conv, nothing, conv}).add(); })).check_all();
  Fixture(with([&](ModelBuilder& b) { b.branches({nothing, conv, conv}).concat(); })).check_all();
  Fixture(with([&](ModelBuilder& b) { b.branches({conv, conv}).multiply(); })).check_all();
  Fixture(with([&](ModelBuilder& b) { b.branches({nothing, gate}).multiply(); })).check_all();
  // The same value twice: x + x, and its square.
  Fixture(with([&](ModelBuilder& b) { b.residual(nothing); })).check_all();
  Fixture(with([&](ModelBuilder& b) { b.branches({nothing, nothing}).multiply(); })).check_all();
  // Shortcuts over shortcuts, one value for four layers.
  Fixture(with([&](ModelBuilder& b) {
    b.residual([&](ModelBuilder& inner) { inner.residual(conv).branches({conv, nothing}).add(); });
  })).check_all();
  // A frozen branch passes the gradient on.
  Model model = with([&](ModelBuilder& b) { b.branches({conv, conv}).add(); });
  model.layers[1].trainable = false;
  Fixture(model).check_all();
  model.layers[0].trainable = false;  // nothing before the other branch trains
  Fixture(model).check_all();
}

TEST_CASE("Gradients before frozen layers are those of finite differences") {
  Model model = ModelBuilder("m", {5, 5, 2})
                    .conv(3, 2)
                    .conv(3, 2)
                    .batch_norm()
                    .relu()
                    .flatten()
                    .dense(4)
                    .dense(3)
                    .build();
  for (const std::size_t frozen : {1U, 2U, 5U}) model.layers[frozen].trainable = false;
  Fixture(model).check_all();
}

}  // namespace

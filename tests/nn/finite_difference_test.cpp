// Gradients of the reference engine against central differences of its own loss, in float64.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/check_gradients.h>

#include "catch.h"

#include <cmath>

namespace {

using namespace millrace;
using namespace millrace::nn;

/// Along every element of every parameter.
void check(const Model& model, const GradientCheckOptions& options = {.seed = 7}) {
  const GradientCheck result = check_gradients(model, options);
  INFO(result.where << ", " << result.checks << " derivatives");
  CHECK(result.largest_error < 1e-6);
  CHECK(result.checks > 0);
}

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
      {"upsample", Upsample{.rows = 2, .columns = 3}},
      {"zero padding", ZeroPadding{.top = 1, .bottom = 2, .right = 3}},
      {"stochastic depth", StochasticDepth{.rate = 0.4F}},
      {"scale", Scale{.first = 0.5F}},
  }));
  INFO(name);
  check(between(kind));
}

template <class Kind>
void check_elementwise() {
  INFO(Kind::kFacts.name);
  check(between(Kind{}));
}

TEST_CASE("Gradients of every elementwise kind are those of finite differences") {
#define MILLRACE_CHECK_ELEMENTWISE(Kind) check_elementwise<Kind>();
  MILLRACE_ELEMENTWISE_KINDS(MILLRACE_CHECK_ELEMENTWISE)
}

TEST_CASE("Gradients of layers on features are those of finite differences") {
  check(ModelBuilder("m", {4})
            .dense(5)
            .batch_norm({.epsilon = 1e-3F})
            .sigmoid()
            .dropout(0.3F)
            .dense(4, false)
            .softmax()
            .dense(3)
            .softmax()
            .build());
  check(ModelBuilder("m", {5, 4, 2}).conv(3, 2).global_avg_pool().dense(2).sigmoid().build());
}

TEST_CASE("Gradients of a layer norm are those of finite differences, trained or frozen") {
  Model model = ModelBuilder("m", {5, 4, 2})
                    .conv(7, 2)
                    .add(LayerNorm{.epsilon = 0.01F})
                    .flatten()
                    .add(LayerNorm{})
                    .dense(5)
                    .add(LayerNorm{})
                    .dense(3)
                    .softmax()
                    .build();
  check(model);
  for (const std::size_t frozen : {1U, 5U}) model.layers[frozen].trainable = false;
  check(model);
}

TEST_CASE("Gradients with L2 and label smoothing are those of finite differences") {
  check(ModelBuilder("m", {5, 4, 2}).conv(3, 2).flatten().dense(3).softmax().build(),
        {.label_smoothing = 0.2, .l2 = 0.1});
  check(ModelBuilder("m", {4}).dense(3).batch_norm().dense(2).sigmoid().build(),
        {.label_smoothing = 0.1, .l2 = 0.05});
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
  check(with([&](ModelBuilder& b) { b.residual(conv).relu(); }));
  check(with([&](ModelBuilder& b) { b.branches({conv, nothing, conv}).add(); }));
  check(with([&](ModelBuilder& b) { b.branches({nothing, conv, conv}).concat(); }));
  check(with([&](ModelBuilder& b) { b.branches({conv, conv}).multiply(); }));
  check(with([&](ModelBuilder& b) { b.branches({nothing, gate}).multiply(); }));
  // The same value twice: x + x, and its square.
  check(with([&](ModelBuilder& b) { b.residual(nothing); }));
  check(with([&](ModelBuilder& b) { b.branches({nothing, nothing}).multiply(); }));
  // Shortcuts over shortcuts, one value for four layers.
  check(with([&](ModelBuilder& b) {
    b.residual([&](ModelBuilder& inner) { inner.residual(conv).branches({conv, nothing}).add(); });
  }));
  // A frozen branch passes the gradient on.
  Model model = with([&](ModelBuilder& b) { b.branches({conv, conv}).add(); });
  model.layers[1].trainable = false;
  check(model);
  model.layers[0].trainable = false;  // nothing before the other branch trains
  check(model);
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
  check(model);
}

/// A factor whose gradient is not a number, or whose output is none.
struct Broken {
  bool in_forward = false;

  static constexpr LayerFacts kFacts{.name = "broken", .stem = "broken"};

  void list(FieldList& fields) { fields.optional("in_forward", &in_forward); }
  [[nodiscard]] LayerShape infer(const LayerInput& input) const {
    return {.output = input.shape(),
            .parameters = {{"weight", Role::gamma, {input.shape()[-1]}, 1}}};
  }
  [[nodiscard]] Derivative derivative(bool) const { return {.at_once = true}; }
  void forward(const reference::Call& call) const {
    std::copy(call.x().begin(), call.x().end(), call.y().begin());
    if (in_forward) call.y()[0] = NAN;
  }
  void backward(const reference::Call& call) const {
    const auto dgamma = call.gradient(Role::gamma);
    std::fill(dgamma.begin(), dgamma.end(), 0.0);
    dgamma[0] = NAN;
    std::copy(call.dy().begin(), call.dy().end(), call.dx().begin());
  }
  friend bool operator==(const Broken&, const Broken&) = default;
};

TEST_CASE("A gradient that is not a number is no right one") {
  const GradientCheck result = check_gradients(Broken{}, {4, 4, 2});
  CHECK(std::isinf(result.largest_error));
  CHECK(result.where == "broken1.weight");
  CHECK_THROWS_WITH(check_gradients(Broken{.in_forward = true}, {4, 4, 2}),
                    Catch::Contains("its loss is nan"));
}

}  // namespace

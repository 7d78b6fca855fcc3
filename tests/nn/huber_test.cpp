// The losses themselves are recorded from PyTorch and Keras, and checked with those of the others.

#include <millrace/core/error.h>
#include <millrace/nn/graph.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>

#include "catch.h"

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

StepResult evaluate(ConstTensorView targets, double smoothing = 0) {
  const std::vector<double> outputs{0, 3, -2, 1};
  return evaluate_loss<double>(Loss::huber, outputs, targets, {}, 2, 2, {}, smoothing);
}

TEST_CASE("Huber counts no right answers, even where output and target are equal") {
  const std::vector<float> targets{0, 3, -2, 1};
  const StepResult result = evaluate(ConstTensorView(std::span(targets), {2, 2}));
  CHECK(result.loss_sum == 0);
  CHECK(result.correct == 0);
  CHECK(result.samples == 2);
}

TEST_CASE("Huber takes targets that are numbers, and refuses classes and smoothing of them") {
  const std::vector<std::int32_t> classes{0, 1};
  CHECK_THROWS_WITH(evaluate(ConstTensorView(std::span(classes), {2})),
                    "labels: i32 2 for 2 outputs; expected f32 [N][2]");
  const std::vector<float> targets(4);
  CHECK_THROWS_WITH(
      evaluate(ConstTensorView(std::span(targets), {2, 2}), 0.1),
      "label_smoothing: expected 0, not 0.1, since the labels of Huber are not classes");
}

TEST_CASE("Huber with label smoothing is refused when the graph is built") {
  CHECK_THROWS_WITH(
      build_graph(ModelBuilder("m", {4}).dense(3).build(), 2, Mode::training, Loss::huber, 0.1),
      "label_smoothing: expected 0, not 0.1, since the labels of Huber are not classes");
}

TEST_CASE("Huber is no loss of a softmax, and what fits is said") {
  const auto graph_of = [](ModelBuilder builder) {
    return build_graph(builder.build(), 2, Mode::training, Loss::huber);
  };
  CHECK_NOTHROW(graph_of(ModelBuilder("m", {4}).dense(3)));
  CHECK_THROWS_WITH(graph_of(ModelBuilder("m", {4}).dense(3).softmax()),
                    Contains("ends in softmax, but the loss is Huber; those that fit are "
                             "categorical_crossentropy, categorical_focal_crossentropy"));
}

TEST_CASE("A sigmoid before a loss of numbers is a layer like any other") {
  const Model model = ModelBuilder("m", {4}).dense(3).sigmoid().build();
  for (const Mode mode : {Mode::training, Mode::evaluation}) {
    const Graph graph = build_graph(model, 2, mode, Loss::huber);
    CHECK(graph.logits == graph.output);
    CHECK(graph.value(graph.output).name == "sigmoid1");
  }
  const Graph own = build_graph(model, 2, Mode::evaluation, Loss::sigmoid_cross_entropy);
  CHECK(own.logits != own.output);
}

TEST_CASE("A target that is not a number makes the loss one that is not") {
  const std::vector<float> targets{0, std::nanf(""), -2, 1};
  CHECK(std::isnan(evaluate(ConstTensorView(std::span(targets), {2, 2})).loss_sum));
}

}  // namespace

#include <millrace/nn/graph.h>
#include <millrace/nn/layers/batch_norm.h>

#include "catch.h"

#include <algorithm>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

constexpr Loss kSoftmax = Loss::softmax_cross_entropy;

/// "dense1 forward" for every operation.
std::vector<std::string> steps(const Graph& graph) {
  std::vector<std::string> result;
  for (const Op& op : graph.ops) {
    const std::string name =
        op.layer < 0 ? "loss" : graph.model.layers[static_cast<std::size_t>(op.layer)].name;
    result.push_back(name + " " + to_string(op.pass));
  }
  return result;
}

const Value& value(const Graph& graph, ValueId id) {
  return graph.values.at(static_cast<std::size_t>(id));
}

TEST_CASE("A training graph runs forward, loss and backward, and stops at the first kernel") {
  const Model model =
      ModelBuilder("m", {4, 4, 1}).flatten().dense(5).relu().dense(3).softmax().build();
  const Graph graph = build_graph(model, 8, Mode::training, kSoftmax);
  CHECK(steps(graph) == std::vector<std::string>{
                            "flatten1 forward", "dense1 forward", "relu1 forward", "dense2 forward",
                            "loss forward", "dense2 backward_parameters", "dense2 backward_data",
                            "relu1 backward_data", "dense1 backward_parameters"});
  CHECK(graph.output == graph.logits);
  CHECK(value(graph, graph.logits).shape == Shape{8, 3});
}

TEST_CASE("An evaluation graph ends in the model's own activation, after the loss") {
  const Model model = ModelBuilder("m", {6}).dense(5).dropout(0.5F).dense(3).softmax().build();
  const Graph graph = build_graph(model, 2, Mode::evaluation, kSoftmax);
  CHECK(steps(graph) == std::vector<std::string>{"dense1 forward", "dense2 forward", "loss forward",
                                                 "softmax1 forward"});
  CHECK(graph.output != graph.logits);
  CHECK(graph.ops[2].outputs.empty());
}

TEST_CASE("A frozen prefix has no backward operations and saves nothing for one") {
  Model model = ModelBuilder("m", {8, 8, 1})
                    .conv(2)
                    .relu()
                    .max_pool()
                    .dropout(0.5F)
                    .flatten()
                    .dense(4)
                    .relu()
                    .dense(3)
                    .build();
  model.layers[0].trainable = false;
  const Graph graph = build_graph(model, 2, Mode::training, kSoftmax);
  for (const Op& op : graph.ops) {
    if (op.pass != Pass::forward) CHECK(op.layer >= 5);
    CHECK(op.saved(0) == -1);
  }
  // The first trainable layer needs the gradient of its kernel, but not of its input.
  const auto steps_of_dense1 = steps(graph);
  CHECK(std::count(steps_of_dense1.begin(), steps_of_dense1.end(), "dense1 backward_data") == 0);
  CHECK(steps_of_dense1.back() == "dense1 backward_parameters");
}

TEST_CASE("The gradient flows through frozen layers to trainable ones before them") {
  Model model =
      ModelBuilder("m", {6, 6, 1}).conv(2).conv(2).batch_norm().flatten().dense(3).build();
  model.layers[1].trainable = false;
  model.layers[2].trainable = false;
  const Graph graph = build_graph(model, 2, Mode::training, kSoftmax);
  const auto all = steps(graph);
  CHECK(std::vector<std::string>(all.begin() + 6, all.end()) ==
        std::vector<std::string>{"dense1 backward_parameters", "dense1 backward_data",
                                 "flatten1 backward_data", "batch_norm1 backward_data",
                                 "conv2 backward_data", "conv1 backward_parameters"});
  const auto norm = std::find_if(graph.ops.begin(), graph.ops.end(), [&](const Op& op) {
    return graph.kind<BatchNorm>(op) != nullptr && op.pass == Pass::backward_data;
  });
  REQUIRE(norm != graph.ops.end());
  CHECK(norm->inputs.size() == 3);
  CHECK(value(graph, norm->parameter(Role::running_variance)).name == "batch_norm1.running_var");
  CHECK(norm->outputs.size() == 1);
}

TEST_CASE("A batch norm that trains as the first layer still gets gradients of gamma and beta") {
  const Model model = ModelBuilder("m", {6}).batch_norm().dense(3).build();
  const Graph graph = build_graph(model, 4, Mode::training, kSoftmax);
  const Op& last = graph.ops.back();
  CHECK(graph.kind<BatchNorm>(last) != nullptr);
  CHECK(last.outputs.size() == 2);
  CHECK(last.dx() == -1);
  for (const Role role : {Role::gamma, Role::beta}) {
    CHECK(value(graph, last.gradient(role)).role == ValueRole::parameter_gradient);
  }
}

TEST_CASE("Every value is made before it is used") {
  const Model model = ModelBuilder("m", {9, 9, 2})
                          .conv(3)
                          .batch_norm()
                          .relu()
                          .max_pool()
                          .dropout(0.2F)
                          .flatten()
                          .dense(4)
                          .sigmoid()
                          .dense(3)
                          .softmax()
                          .build();
  for (const Mode mode : {Mode::training, Mode::evaluation}) {
    const Graph graph = build_graph(model, 2, mode, kSoftmax);
    std::vector<bool> made(graph.values.size(), false);
    for (std::size_t v = 0; v < made.size(); ++v) {
      const ValueRole role = graph.values[v].role;
      made[v] =
          role == ValueRole::input || role == ValueRole::labels || role == ValueRole::parameter;
    }
    for (const Op& op : graph.ops) {
      for (const Argument& read : op.inputs) {
        CHECK(made.at(static_cast<std::size_t>(read.value)));
      }
      for (const Argument& written : op.outputs) {
        CHECK_FALSE(made.at(static_cast<std::size_t>(written.value)));
        made[static_cast<std::size_t>(written.value)] = true;
      }
    }
  }
}

TEST_CASE("Every trainable parameter gets exactly one gradient") {
  const Model model =
      ModelBuilder("m", {9, 9, 2}).conv(3).batch_norm().relu().flatten().dense(3).build();
  const Graph graph = build_graph(model, 2, Mode::training, kSoftmax);
  std::vector<int> gradients(graph.parameters.size(), 0);
  for (const Value& each : graph.values) {
    if (each.role != ValueRole::parameter_gradient) continue;
    ++gradients.at(static_cast<std::size_t>(each.parameter));
  }
  for (std::size_t p = 0; p < gradients.size(); ++p) {
    CHECK(gradients[p] == (graph.parameters[p].trainable ? 1 : 0));
  }
}

TEST_CASE("A model whose end contradicts the loss is refused") {
  const Model sigmoid = ModelBuilder("m", {6}).dense(3).sigmoid().build();
  CHECK_THROWS_WITH(build_graph(sigmoid, 2, Mode::training, kSoftmax),
                    "the model 'm' ends in sigmoid, but the loss is softmax cross-entropy; those "
                    "that fit are binary_crossentropy, huber, mean_squared_error, "
                    "mean_absolute_error, binary_focal_crossentropy");
  const Model image = ModelBuilder("m", {6, 6, 1}).conv(3).build();
  CHECK_THROWS_WITH(build_graph(image, 2, Mode::training, kSoftmax), Contains("ends in 4x4x3"));
}

TEST_CASE("A model that is frozen all through cannot be trained, but evaluated") {
  Model model = ModelBuilder("m", {6}).dense(3).softmax().build();
  model.layers[0].trainable = false;
  CHECK_THROWS_WITH(build_graph(model, 2, Mode::training, kSoftmax), Contains("nothing to train"));
  CHECK_NOTHROW(build_graph(model, 2, Mode::evaluation, kSoftmax));
}

TEST_CASE("A graph prints one line an operation") {
  const Model model = ModelBuilder("m", {6}).dense(3).softmax().build();
  const std::string text = to_string(build_graph(model, 2, Mode::training, kSoftmax));
  CHECK(text ==
        "dense forward {input 2x6, dense1.weight 3x6, dense1.bias 3} -> {dense1 2x3}\n"
        "loss forward {dense1 2x3, labels 2x3} -> {d dense1 2x3}\n"
        "dense backward_parameters {d dense1 2x3, input 2x6} -> "
        "{d dense1.weight 3x6, d dense1.bias 3}\n");
}

}  // namespace

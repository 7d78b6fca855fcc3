// Models that are no chains: how they are written, what the graph makes of them, what is refused.

#include <millrace/nn/graph.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model_dot.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/transfer.h>
#include <millrace/nn/weight_layout.h>

#include "catch.h"

#include <algorithm>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

void nothing(ModelBuilder&) {}
void conv(ModelBuilder& b) {
  b.conv(4, 3, Padding::same);
}

Model residual() {
  return ModelBuilder("m", {6, 6, 4})
      .conv(4, 3, Padding::same)
      .relu()
      .residual(conv)
      .relu()
      .global_avg_pool()
      .dense(3)
      .softmax()
      .build();
}

// These are in docs/models.md.
nn::Model resnet() {
  return nn::ModelBuilder("resnet", {32, 32, 3})
      .conv(16, 3, Padding::same)
      .batch_norm()
      .relu()
      .residual([](nn::ModelBuilder& b) {
        b.conv(16, 3, Padding::same).batch_norm().relu().conv(16, 3, Padding::same).batch_norm();
      })
      .relu()
      .global_avg_pool()
      .dense(10)
      .softmax()
      .build();
}

void squeeze_and_excite(nn::ModelBuilder& b) {
  const auto gate = [](nn::ModelBuilder& c) {
    c.global_avg_pool().dense(4).relu().dense(16).sigmoid();
  };
  const auto as_it_is = [](nn::ModelBuilder&) {};
  b.branches({as_it_is, gate}).multiply();
}

const char* const kSmall = R"({"name": "small", "input": [32, 32, 3], "layers": [
  {"name": "a", "kind": "conv2d", "filters": 16, "rows": 3, "columns": 3, "padding": "same"},
  {"name": "b", "kind": "conv2d", "filters": 16, "rows": 3, "columns": 3, "padding": "same"},
  {"name": "sum", "kind": "add", "inputs": ["b", "a"]},
  {"name": "gap", "kind": "global_avg_pool"},
  {"name": "out", "kind": "dense", "units": 10},
  {"name": "softmax", "kind": "softmax"}]})";

std::vector<std::string> steps(const Graph& graph) {
  std::vector<std::string> result;
  for (const Op& op : graph.ops) result.push_back(step_name(graph, op));
  return result;
}

TEST_CASE("A builder writes down what each layer takes, and nothing where it is the one before") {
  const Model model = residual();
  REQUIRE(model.layers.size() == 8);
  CHECK(model.layers[2].inputs.empty());
  CHECK(model.layers[3].name == "add1");
  CHECK(model.layers[3].inputs == std::vector<std::string>{"conv2", "relu1"});
  CHECK(model.layers[4].inputs.empty());
  CHECK(input_layers(model)[3] == std::vector<int>{2, 1});

  const Model first = ModelBuilder("m", {6, 6, 4}).residual(conv).flatten().dense(2).build();
  CHECK(first.layers[1].inputs == std::vector<std::string>{"conv1", "input"});
  CHECK(input_layers(first)[1] == std::vector<int>{0, -1});
}

TEST_CASE("The models of the manual are what it says of them") {
  const Model model = resnet();
  CHECK(model.layers[8].inputs == std::vector<std::string>{"batch_norm3", "relu1"});
  CHECK(summarize(model)[8].output == Shape{32, 32, 16});
  CHECK(summarize(model).back().output == Shape{10});

  ModelBuilder gated("gated", {32, 32, 16});
  squeeze_and_excite(gated);
  CHECK(gated.build().layers.back().inputs == std::vector<std::string>{"input", "sigmoid1"});
  CHECK(summarize(gated.build()).back().output == Shape{32, 32, 16});

  std::string text = kSmall;
  CHECK(input_layers(model_from_json(text))[2] == std::vector<int>{1, 0});
  CHECK(summarize(model_from_json(text)).back().output == Shape{10});
  text.replace(text.rfind("16"), 2, "8");
  CHECK_THROWS_WITH(
      model_from_json(text),
      Contains("layer 2 'sum': shapes to add must be equal, not 32x32x8 and 32x32x16"));
}

TEST_CASE("Branches can have names, and branches of their own") {
  const Model model = ModelBuilder("m", {6, 6, 4})
                          .branches({[](ModelBuilder& b) { b.conv(2, 1).named("squeeze"); },
                                     [](ModelBuilder& b) {
                                       b.branches({conv, nothing}).add();
                                     }})
                          .concat()
                          .named("joined")
                          .conv(3, 1)
                          .add(Concat{})
                          .inputs({"joined", "conv3"})
                          .build();
  CHECK(model.layers[3].inputs == std::vector<std::string>{"squeeze", "add1"});
  CHECK(summarize(model)[3].output == Shape{6, 6, 6});
  CHECK(summarize(model).back().output == Shape{6, 6, 9});
}

TEST_CASE("Gradients of a value that two layers take are added, and flow on once") {
  const Graph graph = build_graph(residual(), 2, Mode::training, Loss::softmax_cross_entropy);
  const std::vector<std::string> all = steps(graph);
  const auto backward = std::ranges::find(all, "relu2 backward data");
  REQUIRE(backward != all.end());
  CHECK(std::vector<std::string>(backward, all.end()) ==
        std::vector<std::string>{"relu2 backward data", "conv2 backward parameters",
                                 "conv2 backward data", "relu1 gradient sum", "relu1 backward data",
                                 "conv1 backward parameters"});
}

TEST_CASE("Only what trainable parameters feed has a backward pass, whatever its place") {
  Model model = ModelBuilder("m", {6, 6, 4})
                    .branches({[](ModelBuilder& b) { b.conv(4, 1).batch_norm().relu(); },
                               [](ModelBuilder& b) { b.conv(4, 1).batch_norm().relu(); }})
                    .add()
                    .global_avg_pool()
                    .dense(3)
                    .build();
  for (std::size_t i = 0; i < 3; ++i) model.layers[i].trainable = false;
  for (const Op& op : build_graph(model, 2, Mode::training, Loss::softmax_cross_entropy).ops) {
    if (op.pass != Pass::forward) CHECK(op.layer >= 3);
    if (op.layer >= 0 && op.layer < 3) CHECK(op.saved(0) == -1);
  }
}

TEST_CASE("A graph of layers comes back from JSON, and inputs are left out of a chain's") {
  const Model model = residual();
  CHECK_THAT(to_json(model), Contains("\"inputs\""));
  CHECK(model_from_json(to_json(model)) == model);
  const Model chain = ModelBuilder("m", {4}).dense(3).relu().dense(2).build();
  CHECK_THAT(to_json(chain), !Contains("\"inputs\""));
}

TEST_CASE("What does not fit together is refused by the layer's name, with both shapes") {
  const auto message = [](ModelBuilder& builder) -> std::string {
    try {
      (void)builder.build();
    } catch (const Error& error) {
      return error.what();
    }
    return "built";
  };
  const auto tell = [&](auto&& build) {
    ModelBuilder builder("m", {6, 6, 4});
    build(builder);
    return message(builder);
  };
  CHECK(tell([](ModelBuilder& b) { b.residual([](ModelBuilder& c) { c.conv(8, 1); }); }) ==
        "layer 1 'add1': shapes to add must be equal, not 6x6x8 and 6x6x4");
  CHECK(tell([](ModelBuilder& b) {
          b.branches({nothing, [](ModelBuilder& c) { c.max_pool(); }}).concat();
        }) ==
        "layer 1 'concat1': shapes to concat may differ in channels alone, not 6x6x4 and "
        "3x3x4");
  CHECK(tell([](ModelBuilder& b) {
          b.branches({nothing, [](ModelBuilder& c) { c.global_avg_pool().dense(3); }}).multiply();
        }) ==
        "layer 2 'multiply1': expected two shapes that are equal, or 6x6x4 and 4, not "
        "6x6x4 and 3");
  CHECK(tell([](ModelBuilder& b) { b.add(Add{}); }) ==
        "layer 0 'add1': add takes 2 or more inputs, not 1");
  CHECK(tell([](ModelBuilder& b) {
          b.branches({nothing, conv}).flatten();
        }) == "layer 1 'flatten1': flatten takes 1 input, not 2");
  CHECK(tell([](ModelBuilder& b) { b.conv(2).inputs({"conv9"}); }) ==
        "layer 0 'conv1': its input 'conv9' is not a layer before it");
  CHECK(tell([](ModelBuilder& b) { b.conv(4, 1).conv(4, 1).inputs({"input"}).flatten(); }) ==
        "layer 0 'conv1': no layer takes its output, and only the last one's is the model's");
  ModelBuilder open("m", {6, 6, 4});
  open.branches({conv, conv});
  CHECK_THAT(message(open), Contains("2 branches end side by side"));
}

TEST_CASE("The head begins at the first pooling that all later layers come from") {
  // A gate pools too, but its block takes more than that.
  const auto gate = [](ModelBuilder& b) { b.global_avg_pool().dense(4).sigmoid(); };
  const Model model = ModelBuilder("m", {6, 6, 4})
                          .conv(4)
                          .branches({nothing, gate})
                          .multiply()
                          .global_avg_pool()
                          .dense(3)
                          .softmax()
                          .build();
  CHECK(base_layers(model) == 5);
  const Model other = with_head(model, "gap,dense", 7, Initializer::glorot_uniform);
  CHECK(other.layers.size() == 8);
  CHECK(summarize(other).back().output == Shape{7});
  CHECK(base_layers(ModelBuilder("m", {4}).dense(2).build()) == 1);
}

TEST_CASE("Whose pixels a dense layer's inputs are is known across branches") {
  const Model model = ModelBuilder("m", {6, 5, 4})
                          .flatten()
                          .residual([](ModelBuilder& b) { b.relu(); })
                          .dense(3)
                          .build();
  const std::vector<Shape> images = flattened_images(model);
  CHECK(images[3] == Shape{6, 5, 4});
}

TEST_CASE("A flattened image beside other features has no known order in PyTorch") {
  const auto flat = [](ModelBuilder& b) { b.conv(2, 1).flatten(); };
  const Model model =
      ModelBuilder("m", {3, 3, 2}).branches({flat, flat}).concat().relu().dense(3).build();
  CHECK_THROWS_WITH(require_known_order(model),
                    Contains("layer 6 'dense1' takes a flattened image beside other features"));
  const Model added = ModelBuilder("m", {3, 3, 2}).branches({flat, flat}).add().dense(3).build();
  CHECK_NOTHROW(require_known_order(added));
  CHECK(flattened_images(added).back() == Shape{3, 3, 2});
}

TEST_CASE("A layer that is called as the model's input is is no input by name") {
  ModelBuilder builder("m", {6, 6, 4});
  builder.conv(4, 1).named("input").residual(conv);
  CHECK_THROWS_WITH(builder.build(), Contains("is the model's own and a layer's"));
  CHECK_NOTHROW(ModelBuilder("m", {6}).dense(3).named("input").relu().build());
}

TEST_CASE("A table of a graph says what layers take, and a drawing has an arrow for each") {
  CHECK_THAT(summary_table(residual()), Contains("conv2, relu1"));
  CHECK_THAT(summary_table(ModelBuilder("m", {4}).dense(2).build()), !Contains("inputs"));
  const std::string dot = to_dot(residual());
  CHECK_THAT(dot, Contains("layer2 -> layer3;") && Contains("layer1 -> layer3;") &&
                      Contains("input -> layer0;") && Contains("conv2d(filters 4"));
}

}  // namespace

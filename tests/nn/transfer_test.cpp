#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/layers/registry.h>
#include <millrace/nn/transfer.h>

#include <millrace/core/error.h>
#include <millrace/nn/graph.h>
#include <millrace/nn/zoo/vgg.h>
#include <millrace/nn/zoo/zoo.h>

#include "catch.h"

#include <algorithm>

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

namespace {

std::int64_t trainable(const Model& model) {
  std::int64_t sum = 0;
  for (const LayerSummary& layer : summarize(model)) sum += layer.trainable_parameters;
  return sum;
}

}  // namespace

TEST_CASE("a head of pooling and two dense layers stands on VGG16's features") {
  Model model = vgg16({150, 150, 3}, 10);
  CHECK(base_layers(model) == 31);
  model = with_head(model, "gap,dense:1024:relu,dense", 10);
  CHECK(freeze(model, "features") == 13);
  CHECK(trainable(model) == 535'562);  // 512 * 1024 + 1024 + 1024 * 10 + 10
  CHECK(model.layers[30].name == "features.30");
  CHECK(model.layers[31].name == "head.global_avg_pool1");
  CHECK(model.layers[32].name == "head.dense1");
  CHECK(model.layers[34].name == "head.dense2");
  CHECK(model.layers.back().kind.is<Softmax>());
}

TEST_CASE("all words of a head become layers") {
  const Model model = with_head(zoo_model("cnn", {64, 64, 3}, 2),
                                "batch_norm,relu,flatten,dense:8:sigmoid,dropout:0.25,dense", 1);
  const std::size_t base = base_layers(zoo_model("cnn", {64, 64, 3}, 2));
  REQUIRE(model.layers.size() == base + 8);
  CHECK(model.layers[base + 3].kind.get_if<Dense>()->units == 8);
  CHECK(model.layers[base + 5].kind.get_if<Dropout>()->rate == 0.25F);
  CHECK(model.layers.back().kind.is<Sigmoid>());
}

TEST_CASE("every activation is a word of a head, alone and behind dense") {
  const Model base = zoo_model("cnn", {64, 64, 3}, 2);
#define MILLRACE_NAME(Kind) Kind::kFacts.name,
  for (const std::string_view name : {"relu", MILLRACE_ELEMENTWISE_KINDS(MILLRACE_NAME)}) {
#undef MILLRACE_NAME
    INFO(name);
    const Model model = with_head(base, concat("gap,", name, ",dense:8:", name, ",dense"), 2);
    CHECK(model.layers[base_layers(base) + 1].kind == layer_kind(name));
    CHECK(model.layers[base_layers(base) + 3].kind == layer_kind(name));
  }
}

TEST_CASE("a head that cannot be read is refused by the word") {
  const Model base = zoo_model("cnn", {64, 64, 3}, 2);
  for (const auto& [head, problem] :
       {std::pair("gap", "'gap': the last word must be dense"),
        std::pair("", "the last word must be dense"),
        std::pair("gap,dense:7", "the last word must be dense"),
        std::pair("gap,dense:7:mish,dense", "'dense:7:mish': known"),
        std::pair("gap,dense:x,dense", "'dense:x': expected a number"),
        std::pair("gap,dropout:2,dense", "rate must be in [0, 1)"),
        std::pair("gap,dense,dense", "'dense': known"),
        std::pair("gap,gap,dense", "needs [height]"),
        std::pair("dense", "put flatten or global_avg_pool")}) {
    INFO(head);
    CHECK_THROWS_AS(with_head(base, head, 2), UsageError);
    CHECK_THROWS_WITH(with_head(base, head, 2), Contains(problem));
  }
}

TEST_CASE("a prefix that ends in a digit ends a number") {
  CHECK(has_prefix("features.1", "features.1"));
  CHECK(has_prefix("features.1.conv", "features.1"));
  CHECK_FALSE(has_prefix("features.10", "features.1"));
  CHECK(has_prefix("features.10", "features."));
  CHECK(has_prefix("conv1", "conv"));
  CHECK_FALSE(has_prefix("conv1", "dense"));
  CHECK_FALSE(has_prefix("conv1", ""));
}

TEST_CASE("a prefix that freezes nothing is refused with the names that there are") {
  Model model = zoo_model("cnn:4,8:16", {32, 32, 3}, 2);
  CHECK_THROWS_WITH(freeze(model, "conv1,features"),
                    "no layer with weights has a name that begins with 'features'; "
                    "there are conv1, conv2, dense1, dense2");
  CHECK_THROWS_AS(freeze(model, "relu"), UsageError);
  Model large = zoo_model("vgg16", {32, 32, 3}, 2);
  CHECK_THROWS_WITH(freeze(large, "conv"),
                    "no layer with weights has a name that begins with 'conv'; there are "
                    "features.0, features.2, features.5, features.7, classifier.6 and 11 more");
  CHECK_THROWS_AS(freeze(model, ""), UsageError);
}

TEST_CASE("a frozen base has no backward operations") {
  Model model = with_head(vgg16({32, 32, 3}, 2), "gap,dense:16:relu,dense", 1);
  freeze(model, "features");
  const Graph graph = build_graph(model, 4, Mode::training, Loss::sigmoid_cross_entropy);
  std::vector<std::string> backward;
  for (const Op& op : graph.ops) {
    if (op.pass == Pass::forward) continue;
    backward.push_back(
        concat(model.layers[static_cast<std::size_t>(op.layer)].name, ' ', to_string(op.pass)));
  }
  CHECK(backward ==
        std::vector<std::string>{"head.dense2 backward_parameters", "head.dense2 backward_data",
                                 "head.relu1 backward_data", "head.dense1 backward_parameters"});
  const auto saved = std::ranges::count_if(
      graph.values, [](const Value& value) { return value.role == ValueRole::saved; });
  CHECK(saved == 0);  // the poolings of the frozen part keep no indices
}

TEST_CASE("what is in front of a layer that trains has data gradients as far as needed") {
  Model model = vgg16({32, 32, 3}, 10);
  freeze(model, "features.0,features.2,features.5");
  const Graph graph = build_graph(model, 2, Mode::training, Loss::softmax_cross_entropy);
  for (const Op& op : graph.ops) {
    if (op.pass == Pass::forward || op.layer < 0) continue;
    CHECK(op.layer >= 7);  // features.7 is the first that trains
    if (op.layer == 7) CHECK(op.pass == Pass::backward_parameters);
  }
}

TEST_CASE("dropout and stochastic depth of frozen layers are off") {
  Model model =
      with_head(zoo_model("efficientnet_b0", {32, 32, 3}, 10), "gap,dropout:0.5,dense", 2);
  const auto masks = [&] {
    const Graph graph = build_graph(model, 4, Mode::training, Loss::softmax_cross_entropy);
    return std::ranges::count_if(graph.ops, [&](const Op& op) {
      const LayerKind& kind = model.layers[static_cast<std::size_t>(std::max(op.layer, 0))].kind;
      return op.pass == Pass::forward && (kind.is<Dropout>() || kind.is<StochasticDepth>());
    });
  };
  CHECK(masks() == 9 + 1);  // of the blocks with a sum, and the head's
  freeze(model, "features");
  CHECK(masks() == 1);
}

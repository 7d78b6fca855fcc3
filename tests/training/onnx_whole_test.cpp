// What surrounds the layers of a graph: preprocessing, the opset, what cannot be said in it; and
// whole networks.

#include "engines/branches.h"
#include "engines/foreign_kind.h"
#include "engines/networks.h"
#include "engines/random_models.h"
#include "engines/windows.h"
#include "training/exported_onnx.h"

#include <millrace/nn/preprocessing.h>

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;
using Ints = std::vector<std::int64_t>;

TEST_CASE("preprocessing is in the graph where it is asked for, and in the metadata otherwise") {
  nn::ModelBuilder builder("m", {4, 4, 3});
  nn::Model model = builder.conv(2).build();
  model.preprocessing = {.filter = "lanczos",
                         .scale = 0.5F,
                         .mean = {1, 2, 3},
                         .deviation = {4, 5, 8},
                         .order = nn::ChannelOrder::bgr};
  model.layers.push_back({.name = "pool", .kind = nn::GlobalAvgPool{}});
  model.layers.push_back({.name = "softmax", .kind = nn::Softmax{}});
  model.classes = {"cat", "ü"};
  const auto plain = exported(model);
  CHECK(operators_of(plain) == "Conv GlobalAveragePool Flatten Softmax");
  CHECK(metadata(plain, "millrace.preprocessing_inside") == "false");
  CHECK(nlohmann::json::parse(metadata(plain, "millrace.preprocessing")) ==
        nlohmann::json{{"filter", "lanczos"},
                       {"scale", 0.5},
                       {"mean", {1, 2, 3}},
                       {"deviation", {4, 5, 8}},
                       {"order", "bgr"}});
  CHECK(metadata(plain, "millrace.classes") == "[\"cat\",\"ü\"]");
  CHECK(metadata(plain, "millrace.outputs") == "probabilities");

  const auto inside = exported(model, {.with_preprocessing = true});
  CHECK(operators_of(inside) == "Gather Mul Add Conv GlobalAveragePool Flatten Softmax");
  CHECK(metadata(inside, "millrace.preprocessing_inside") == "true");
  CHECK(inside.graph().node(0).name() == "preprocessing/bgr");
  CHECK(values_of<std::int64_t>(*find_initializer(inside, "preprocessing/channels")) ==
        Ints{2, 1, 0});
  const auto& factors = *find_initializer(inside, "preprocessing/factors");
  CHECK(dims_of(factors) == Ints{3, 1, 1});
  CHECK(values_of<float>(factors) == std::vector<float>{0.125F, 0.1F, 0.0625F});
  CHECK(values_of<float>(*find_initializer(inside, "preprocessing/offsets")) ==
        std::vector<float>{-0.25F, -0.4F, -0.375F});

  model.preprocessing = {.scale = 1};
  CHECK(operators_of(exported(model, {.with_preprocessing = true})) == operators_of(plain));
  model.preprocessing = {};
  CHECK(operators_of(exported(model, {.with_preprocessing = true})) ==
        "Mul " + operators_of(plain));
  model.preprocessing.samplewise_center = true;
  CHECK_THROWS_WITH(
      exported(model, {.with_preprocessing = true}),
      Contains("looks at whole samples") && Contains("convert without --with-preprocessing"));
  CHECK(operators_of(exported(model)) == operators_of(plain));
}

TEST_CASE("a graph has the operators of its opset, and a layer that none of them is, is refused") {
  for (int opset = kLeastOpset; opset <= kMostOpset; ++opset) {
    INFO(opset);
    CHECK(exported_kind<nn::Relu>(opset).opset_import(0).version() == opset);
    CHECK(operators_of(exported_kind<nn::Gelu>(opset)) ==
          (opset < 20 ? "Mul Erf Add Mul Mul" : "Gelu"));
    CHECK(operators_of(exported_kind<nn::HardSwish>(opset)) ==
          (opset < 14 ? "HardSigmoid Mul" : "HardSwish"));
  }
  CHECK_THROWS_WITH(exported_kind<nn::LayerNorm>(16),
                    "layer 0 'mine': layer_norm needs --opset 17 or later");
  for (const int opset : {kLeastOpset - 1, kMostOpset + 1}) {
    CHECK_THROWS_AS(exported_kind<nn::Relu>(opset), UsageError);
  }
}

TEST_CASE("a kind of a user's own is refused by the name of its layer") {
  const nn::Model model =
      nn::ModelBuilder("m", {4}).dense(3).add(SlopedRelu{}).named("slope").dense(2).build();
  CHECK_THROWS_WITH(exported(model), Contains("layer 1 'slope': the kind 'sloped_relu'"));
}

TEST_CASE("graphs of networks and of random models are whole") {
  for (const nn::Model& model : {resnet18(), mobilenet_v2(), squeezenet()}) (void)exported(model);
  for (const nn::Model& model : branch_models(5)) (void)exported(model);
  for (const nn::Model& model : window_models()) (void)exported(model);
  for (const nn::Model& model : pooling_models(5)) (void)exported(model);
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    (void)exported(random_model(seed), {.opset = 17 + static_cast<int>(seed % 6)});
  }
}

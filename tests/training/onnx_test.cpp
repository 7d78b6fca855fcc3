// The graphs that models become, read back from their files. That they give our outputs is tried
// with onnxruntime (onnx_peers_test.cpp).

#include "engines/kinds.h"
#include "training/exported_onnx.h"

#include <map>
#include <string_view>

using namespace millrace;
using namespace millrace::test;
using Ints = std::vector<std::int64_t>;

namespace {

/// The extents behind the free one of the batch.
Ints sample_of(const onnx::ValueInfoProto& value) {
  const auto& shape = value.type().tensor_type().shape();
  CHECK(shape.dim(0).dim_param() == "N");
  Ints extents;
  for (int i = 1; i < shape.dim_size(); ++i) extents.push_back(shape.dim(i).dim_value());
  return extents;
}

}  // namespace

TEST_CASE("every kind of layer becomes the ONNX operators of its table") {
  std::map<std::string, std::string> found;
#define MILLRACE_EXPORT_KIND(Kind) \
  found[nn::Kind::kFacts.name] = operators_of(exported_kind<nn::Kind>());
  MILLRACE_LAYER_KINDS(MILLRACE_EXPORT_KIND)
  const std::map<std::string, std::string> expected{
      {"adaptive_avg_pool", "AveragePool"},
      {"add", "Relu Tanh Add"},
      {"avg_pool2d", "AveragePool"},
      {"batch_norm", "BatchNormalization"},
      {"concat", "Relu Tanh Concat"},
      {"conv2d", "Conv"},
      {"dense", "Transpose Flatten Gemm"},
      {"dropout", "Identity"},
      {"flatten", "Transpose Flatten"},
      {"gelu", "Mul Erf Add Mul Mul"},
      {"global_avg_pool", "GlobalAveragePool Flatten"},
      {"hard_sigmoid", "HardSigmoid"},
      {"hard_swish", "HardSwish"},
      {"layer_norm", "Transpose LayerNormalization Transpose"},
      {"leaky_relu", "LeakyRelu"},
      {"max_pool2d", "MaxPool"},
      {"multiply", "Relu Tanh Mul"},
      {"relu", "Relu"},
      {"relu6", "Clip"},
      {"scale", "Mul"},
      {"sigmoid", "Sigmoid"},
      {"silu", "Sigmoid Mul"},
      {"softmax", "Softmax"},
      {"stochastic_depth", "Identity"},
      {"tanh", "Tanh"},
      {"upsample", "Resize"},
      {"zero_padding", "Identity"},
  };
  CHECK(found == expected);
}

TEST_CASE("nodes have the names of the layers, and input and output their own") {
#define MILLRACE_FIND_KIND(Kind) CHECK(find_node(exported_kind<nn::Kind>(), "mine") != nullptr);
  MILLRACE_LAYER_KINDS(MILLRACE_FIND_KIND)

  // Whatever layers are called.
  const auto model = exported(nn::ModelBuilder("names", {6, 6, 3})
                                  .conv(4)
                                  .named("output")
                                  .silu()
                                  .named("a")
                                  .tanh()
                                  .named("a/gate")
                                  .relu()
                                  .named("output.weight")
                                  .flatten()
                                  .dense(2)
                                  .named("features.0.conv.1")
                                  .build());
  for (const char* name : {"output", "a", "a/gate", "output.weight", "features.0.conv.1"}) {
    INFO(name);
    CHECK(find_node(model, name) != nullptr);
  }
  CHECK(find_node(model, "a/gate")->op_type() == "Tanh");
  CHECK(model.graph().input(0).name() == "input");
  CHECK(model.graph().output(0).name() == "output");
  CHECK(find_node(model, "features.0.conv.1")->output(0) == "output");
  CHECK(find_initializer(model, "output.weight")->dims_size() == 4);
}

TEST_CASE("images of a graph have their channels first and the number of samples is free") {
  const auto model = exported(nn::ModelBuilder("m", {6, 5, 3}).conv(4).build());
  CHECK(sample_of(model.graph().input(0)) == Ints{3, 6, 5});
  CHECK(sample_of(model.graph().output(0)) == Ints{4, 4, 3});
  CHECK(metadata(model, "millrace.outputs") == "features");
  const auto table = exported(nn::ModelBuilder("m", {7}).dense(2).build());
  CHECK(sample_of(table.graph().input(0)) == Ints{7});
  CHECK(sample_of(table.graph().output(0)) == Ints{2});
  CHECK(metadata(table, "millrace.outputs") == "logits");
}

TEST_CASE("weights of a graph are those of the model to the bit, zeros of pruning too") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("m", {4, 4, 2})
                              .conv(3)
                              .batch_norm({.epsilon = 0.25F})
                              .add(nn::Scale{})
                              .flatten()
                              .dense(5, false)
                              .build();
  SavedModel saved{model, random_weights(model, 5)};
  for (std::size_t i = 0; i < saved.parameters.size(); i += 2) saved.parameters[i] = 0;
  export_onnx(scratch / "model.onnx", saved);
  const auto read = read_onnx(scratch / "model.onnx");
  for (const nn::Parameter& p : nn::parameters(model)) {
    INFO(p.name);
    const auto* const tensor = find_initializer(read, p.name);
    REQUIRE(tensor != nullptr);
    const auto begin = saved.parameters.begin() + p.offset;
    CHECK(values_of<float>(*tensor) == std::vector<float>(begin, begin + p.shape.elements()));
    const Ints shape(p.shape.extents().begin(), p.shape.extents().end());
    CHECK(dims_of(*tensor) == (p.name == "scale1.weight" ? Ints{3, 1, 1} : shape));
  }
  const auto& norm = *find_node(read, "batch_norm1");
  CHECK(find_attribute(norm, "epsilon")->f() == 0.25F);
  CHECK(norm.input(3) == "batch_norm1.running_mean");
  CHECK(norm.input(4) == "batch_norm1.running_var");
  CHECK(find_attribute(*find_node(read, "dense1"), "transB")->i() == 1);
  CHECK(find_node(read, "dense1")->input_size() == 2);
}

TEST_CASE("a convolution's windows stand in its attributes") {
  const auto model = exported(nn::ModelBuilder("m", {11, 9, 4})
                                  .conv({.filters = 8,
                                         .rows = 2,
                                         .columns = 3,
                                         .stride = {2, 1},
                                         .padding = nn::Padding::sides(1, 0, 2, 3),
                                         .groups = 4,
                                         .dilation = {1, 2}})
                                  .conv(3, 3, nn::Padding::same, 2)
                                  .build());
  const auto& conv = *find_node(model, "conv1");
  CHECK(ints_of(conv, "kernel_shape") == Ints{2, 3});
  CHECK(ints_of(conv, "strides") == Ints{2, 1});
  CHECK(ints_of(conv, "dilations") == Ints{1, 2});
  CHECK(ints_of(conv, "pads") == Ints{1, 2, 0, 3});  // top, left, bottom, right
  CHECK(find_attribute(conv, "group")->i() == 4);
  // 6x10 to 3x5: TensorFlow's odd pixel is at the end.
  CHECK(ints_of(*find_node(model, "conv2"), "pads") == Ints{0, 0, 1, 1});
}

TEST_CASE("what ceil adds to a pooling is padding, and is no pixel that counts") {
  const auto pads = [](const nn::LayerKind& kind) {
    const auto model = exported(nn::ModelBuilder("m", {8, 5, 2}).add(kind).named("pool").build());
    return ints_of(*find_node(model, "pool"), "pads");
  };
  CHECK(pads(nn::MaxPool2D{.size = 3, .stride = 2}) == Ints{0, 0, 0, 0});
  CHECK(pads(nn::MaxPool2D{.size = 3, .stride = 2, .ceil = true}) == Ints{0, 0, 1, 0});
  CHECK(pads(nn::MaxPool2D{.size = 3, .stride = 2, .padding = nn::Padding::all(1)}) ==
        Ints{1, 1, 1, 1});
  // A window that would begin past the image is none: 5 pixels and one beside them.
  CHECK(pads(nn::MaxPool2D{.size = 2, .stride = 2, .padding = nn::Padding::all(1), .ceil = true}) ==
        Ints{1, 1, 1, 0});
  const auto counted = exported(nn::ModelBuilder("m", {8, 6, 2})
                                    .avg_pool({.size = 3,
                                               .stride = 2,
                                               .padding = nn::Padding::all(1),
                                               .ceil = true,
                                               .count_padding = true})
                                    .named("pool")
                                    .build());
  CHECK(operators_of(counted) == "Pad AveragePool");
  CHECK(values_of<std::int64_t>(*find_initializer(counted, "pool/pads")) ==
        Ints{0, 0, 1, 1, 0, 0, 1, 1});
  CHECK(ints_of(*find_node(counted, "pool"), "pads") == Ints{0, 0, 1, 1});
  CHECK(find_attribute(*find_node(counted, "pool"), "count_include_pad")->i() == 0);
}

TEST_CASE("zeros around images and repeated pixels are of rows and columns alone") {
  const auto model = exported(nn::ModelBuilder("m", {4, 4, 3})
                                  .zero_padding(1, 2, 3, 4)  // top, bottom, left, right
                                  .upsample(2, 3)
                                  .build());
  CHECK(operators_of(model) == "Pad Resize");
  CHECK(values_of<std::int64_t>(*find_initializer(model, "zero_padding1/pads")) ==
        Ints{0, 0, 1, 3, 0, 0, 2, 4});
  CHECK(values_of<float>(*find_initializer(model, "upsample1/scales")) ==
        std::vector<float>{1, 1, 2, 3});
  CHECK(find_attribute(*find_node(model, "upsample1"), "mode")->s() == "nearest");
}

TEST_CASE("a flatten keeps our order of pixels, and moves nothing where there is only one") {
  const auto operators = [](Shape input) {
    return operators_of(exported(nn::ModelBuilder("m", input).flatten().dense(2).build()));
  };
  CHECK(operators({4, 4, 3}) == "Transpose Flatten Gemm");
  CHECK(operators({28, 28, 1}) == "Flatten Gemm");
  CHECK(operators({1, 1, 64}) == "Flatten Gemm");
  CHECK(operators({64}) == "Flatten Gemm");
  const auto model = exported(nn::ModelBuilder("m", {4, 4, 3}).flatten().build());
  CHECK(ints_of(*find_node(model, "flatten1/channels_last"), "perm") == Ints{0, 2, 3, 1});
}

TEST_CASE("dropout and stochastic depth leave no node") {
  const auto model =
      exported(nn::ModelBuilder("m", {4})
                   .dropout(0.5F)
                   .dense(4)
                   .residual([](nn::ModelBuilder& b) { b.dense(4).stochastic_depth(0.5F); })
                   .softmax()
                   .dropout(0.5F)
                   .build());
  CHECK(operators_of(model) == "Gemm Gemm Add Softmax");
  CHECK(find_node(model, "softmax1")->output(0) == "output");
}

#include <millrace/training/pretrained.h>

#include <millrace/core/error.h>
#include <millrace/cpu/engine.h>
#include <millrace/io/safetensors.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/transfer.h>
#include <millrace/training/saved_model.h>

#include "catch.h"
#include "training/small_network.h"
#include "training/vgg16_rule.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

std::vector<float> outputs_of(const nn::Model& model, const std::vector<float>& arena,
                              const std::vector<float>& input) {
  const auto engine = cpu::make_engine({.threads = 1});
  const auto samples = static_cast<std::int64_t>(input.size()) / model.input.elements();
  const auto executor = engine->compile(model, {.batch = samples, .training = false});
  executor->allocate();
  executor->write(nn::Arena::parameters, arena);
  std::vector<float> outputs(static_cast<std::size_t>(samples) * 3);
  nn::Batch batch;
  batch.input = ConstTensorView(std::span<const float>(input), model.input.with_front(samples));
  batch.samples = samples;
  executor->predict(batch, outputs);
  return outputs;
}

/// The network of tests/reference/record_keras_graphs.py, with Keras's names.
nn::Model graph_network() {
  const auto left = [](nn::ModelBuilder& branch) {
    branch.conv(4, 1).named("left").batch_norm({.epsilon = 1e-3F}).named("left_norm");
  };
  const auto right = [](nn::ModelBuilder& branch) {
    branch.conv(4, 3, nn::Padding::same).named("right");
    branch.batch_norm({.epsilon = 1e-3F}).named("right_norm").relu();
  };
  const auto none = [](nn::ModelBuilder&) {};
  nn::ModelBuilder builder("graph", {8, 8, 3});
  builder.conv(4, 3, nn::Padding::same).named("stem").relu();
  builder.branches({[&](auto& branch) { branch.branches({left, right, none}).add(); }, none});
  return builder.concat().global_avg_pool().dense(3).named("top").softmax().build();
}

/// Its relative, no two layers of which are alike, with other names.
nn::Model narrow_network() {
  const auto right = [](nn::ModelBuilder& branch) {
    branch.residual([](auto& inner) { inner.conv(4, 3, nn::Padding::same).relu(); });
  };
  const auto left = [](nn::ModelBuilder& branch) {
    branch.conv(6, 1).batch_norm({.epsilon = 1e-3F});
  };
  nn::ModelBuilder builder("narrow", {8, 8, 3});
  builder.conv(4, 3, nn::Padding::same).relu().branches({right, left});
  return builder.concat().global_avg_pool().dense(3).softmax().build();
}

}  // namespace

TEST_CASE("weights that Keras wrote, in four layouts, give Keras's outputs") {
  const auto recorded = read_json(kFolder + "weights.json");
  const nn::Model model = small_network();
  for (const char* name : {"keras2.h5", "saved.h5", "keras3.weights.h5", "tf_2_12.keras"}) {
    INFO(name);
    const Pretrained weights(kFolder + name, model);
    CHECK(weights.matched().size() == 12);
    CHECK(weights.missing().empty());
    CHECK(weights.left_over().empty());
    CHECK(std::string(weights.source()) == "Keras");
    CHECK(!weights.preprocessing());
    const auto outputs =
        outputs_of(model, loaded(weights, model), recorded.at("input").get<std::vector<float>>());
    CHECK(relative_difference(outputs, recorded.at("keras_output").get<std::vector<float>>()) <
          1e-5);
  }
}

TEST_CASE("weights that PyTorch wrote give PyTorch's outputs, though it flattens channels first") {
  const auto recorded = read_json(kFolder + "weights.json");
  const nn::Model model = small_network();
  const Pretrained weights(kFolder + "torch.safetensors", model);
  CHECK(weights.matched().size() == 12);
  CHECK(weights.left_over().empty());  // a count of batches is no weight
  CHECK(std::string(weights.source()) == "PyTorch");
  CHECK(!weights.preprocessing());  // names of nobody's published model: the file does not tell
  CHECK_THAT(weights.report(), Contains("; inputs of dense1 taken as PyTorch flattens images, "
                                        "channel, row, column"));
  const auto outputs =
      outputs_of(model, loaded(weights, model), recorded.at("input").get<std::vector<float>>());
  CHECK(relative_difference(outputs, recorded.at("torch_output").get<std::vector<float>>()) < 1e-5);
}

TEST_CASE("a saved model is a weight file, in our order or in PyTorch's") {
  const Scratch scratch;
  nn::Model model = small_network();
  model.preprocessing = nn::preprocessing_named("tf");
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 5, arena);
  for (const FlattenOrder order : {FlattenOrder::channels_last, FlattenOrder::channels_first}) {
    save_model(scratch / "m.safetensors", model, arena, order);
    const Pretrained weights(scratch / "m.safetensors", model);
    CHECK(std::string(weights.source()) == "Millrace");
    CHECK(weights.preprocessing() == nn::preprocessing_named("tf"));
    CHECK(loaded(weights, model) == arena);
    CHECK(load_model(scratch / "m.safetensors").parameters == arena);
  }
  // Another program reads dense1 as [out][channel][row][column].
  const SafetensorsFile file(scratch / "m.safetensors");
  std::vector<float> dense(6 * 20);
  file.read("dense1.weight", dense);
  const auto ours = nn::parameters(model);
  const auto found = std::find_if(ours.begin(), ours.end(),
                                  [](const auto& p) { return p.name == "dense1.weight"; });
  const auto offset = static_cast<std::size_t>(found->offset);
  CHECK(dense[1] == arena[offset + 5]);    // channel 0, pixel 1 of 2x2x5
  CHECK(dense[4] == arena[offset + 1]);    // channel 1, pixel 0
  CHECK(dense[20] == arena[offset + 20]);  // the next output
}

TEST_CASE("a new head keeps its first values, and what is left of the old one is told") {
  const nn::Model model = nn::with_head(small_network(), "gap,dense:7:relu,dense", 1);
  const Pretrained weights(kFolder + "keras2.h5", model, nn::base_layers(model));
  CHECK(weights.matched().size() == 8);
  CHECK(weights.missing() == std::vector<std::string>{"head.dense1.weight", "head.dense1.bias",
                                                      "head.dense2.weight", "head.dense2.bias"});
  CHECK(weights.left_over() ==
        std::vector<std::string>{"hidden/kernel", "hidden/bias", "classes/kernel", "classes/bias"});
  CHECK(weights.report() ==
        kFolder +
            "keras2.h5 (Keras): 8 of 12 tensors of the model; not in the file: "
            "head.dense1.weight, head.dense1.bias, head.dense2.weight, head.dense2.bias; left "
            "over in the file: hidden/kernel, hidden/bias, classes/kernel, classes/bias");
  const std::vector<float> arena = loaded(weights, model, 9.0F);
  for (const nn::Parameter& parameter : nn::parameters(model)) {
    const bool is_head = parameter.name.starts_with("head.");
    CHECK((arena[static_cast<std::size_t>(parameter.offset)] == 9.0F) == is_head);
  }
}

TEST_CASE("another number of classes leaves the last layer alone") {
  const nn::Model model = small_network(7);
  for (const char* name : {"keras3.weights.h5", "torch.safetensors"}) {
    const Pretrained weights(kFolder + name, model);
    CHECK(weights.missing() == std::vector<std::string>{"dense2.weight", "dense2.bias"});
    CHECK(weights.left_over().empty());
  }
  // They are in the file, and the line does not say that they are not.
  const Pretrained weights(kFolder + "torch.safetensors", model);
  CHECK(
      weights.report() ==
      kFolder +
          "torch.safetensors (PyTorch): 10 of 12 tensors of the model; of another shape, so "
          "newly initialised: 'dense2.weight' is 3x6 in the file, 7x6 in the model, 'dense2.bias' "
          "is 3 in the "
          "file, 7 in the model; inputs of dense1 taken as PyTorch flattens images, channel, row, "
          "column (else: --flatten-order channels_last)");
  CHECK(weights.why_missing("dense2.bias") == "'dense2.bias' is 3 in the file, 7 in the model");
}

TEST_CASE("weights of another model or size of input are refused in a line that shows why") {
  const std::string other = ": weights of another model or size of input than 'small' at ";
  CHECK(error_of_file(kFolder + "keras2.h5", small_network(3, 12)) ==
        other + "12x12x3: 'hidden/kernel' is 20x6 in the file, 'dense1.weight' 80x6 in the model");
  CHECK(error_of_file(kFolder + "torch.safetensors", small_network(3, 12)) ==
        other + "12x12x3: 'dense1.weight' is 6x20 in the file, 6x80 in the model");
  const nn::Model vgg = nn::vgg16({32, 32, 3}, 10);
  CHECK(
      error_of_file(kFolder + "torch.safetensors", vgg)
          .starts_with(": weights of another model or size of input than 'vgg16' at 32x32x3: none "
                       "of its 13 tensors ("));
  CHECK(error_of_file(kFolder + "keras2.h5", vgg)
            .ends_with("'first/kernel' is 3x3x3x4 in the file, 'features.0.weight' 3x3x3x64 in the "
                       "model"));
}

TEST_CASE("a deeper relative of a model is not taken for it") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("plain", {16, 16, 3}).conv(4).conv(4).conv(4).build();
  // The middle is missing while a later layer fits.
  const auto path = write_torch(scratch, {{"conv1.weight", {4, 3, 3, 3}},
                                          {"conv1.bias", {4}},
                                          {"conv3.weight", {4, 4, 3, 3}},
                                          {"conv3.bias", {4}}});
  CHECK(
      error_of_file(path, model).ends_with("it has no 'conv2.weight' but tensors of later layers"));
}

TEST_CASE("the dense layers of timm's VGG are convolutions by another name") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("v", {2, 3, 4})
                              .conv(4, 1)
                              .named("features.0")
                              .flatten()
                              .dense(5)
                              .named("classifier.0")
                              .dense(6)
                              .named("classifier.3")
                              .dense(2)
                              .named("classifier.6")
                              .build();
  const auto path = write_torch(scratch, {{"features.0.weight", {4, 4, 1, 1}},
                                          {"features.0.bias", {4}},
                                          {"pre_logits.fc1.weight", {5, 4, 2, 3}},
                                          {"pre_logits.fc1.bias", {5}},
                                          {"pre_logits.fc2.weight", {6, 5, 1, 1}},
                                          {"pre_logits.fc2.bias", {6}},
                                          {"head.fc.weight", {2, 6}},
                                          {"head.fc.bias", {2}}});
  const Pretrained weights(path, model);
  CHECK(weights.missing().empty());
  CHECK(weights.left_over().empty());
}

TEST_CASE("a weight that is not a number is an error when it is loaded") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("d", {2}).dense(1, false).build();
  const std::array values = {1.0F, NAN};
  write_safetensors(scratch / "w", std::array{NamedTensor{"dense1.weight", {1, 2}, values}});
  const Pretrained weights(scratch / "w", model);
  CHECK_THROWS_WITH(
      loaded(weights, model),
      Contains("w: tensor 'dense1.weight' holds a value that is not a finite number"));
}

TEST_CASE("weights of Keras's graphs are matched by the names of layers, in all of its files") {
  const auto recorded = read_json(kFolder + "graphs.json");
  const nn::Model model = graph_network();
  for (const char* name : {"graph.h5", "graph.weights.h5", "graph.keras"}) {
    INFO(name);
    const Pretrained weights(kFolder + name, model);
    CHECK(weights.left_over().empty());
    CHECK(weights.report() ==
          concat(kFolder, name,
                 " (Keras): 16 of 16 tensors of the model; matched by the names of layers"));
    const auto outputs =
        outputs_of(model, loaded(weights, model), recorded.at("input").get<std::vector<float>>());
    CHECK(relative_difference(outputs, recorded.at("graph").get<std::vector<float>>()) < 1e-5);
  }
}

TEST_CASE("layers of a graph that have other names in Keras's file are matched by their order") {
  const auto recorded = read_json(kFolder + "graphs.json");
  const nn::Model model = narrow_network();
  const Pretrained weights(kFolder + "graph_narrow.keras", model);
  CHECK(weights.report() == kFolder + "graph_narrow.keras (Keras): 12 of 12 tensors of the model");
  const auto outputs =
      outputs_of(model, loaded(weights, model), recorded.at("input").get<std::vector<float>>());
  CHECK(relative_difference(outputs, recorded.at("narrow").get<std::vector<float>>()) < 1e-5);
  // An addition that the model does not have would change its outputs.
  const nn::Model chain = nn::ModelBuilder("chain", {8, 8, 3})
                              .conv(4, 3, nn::Padding::same)
                              .relu()
                              .conv(4, 3, nn::Padding::same)
                              .build();
  CHECK_THAT(error_of_file(kFolder + "graph_narrow.keras", chain), Contains("has no counterpart"));
}

TEST_CASE("parallel layers that are alike and have other names in Keras's file are not guessed") {
  CHECK(error_of_file(kFolder + "graph_renamed.keras", graph_network()) ==
        ": its layers have other names than the model's, and by their order 'left_norm' and "
        "'right_norm' of the model 'graph', which are alike, cannot be distinguished; give the "
        "model's layers the names of the file's");
}

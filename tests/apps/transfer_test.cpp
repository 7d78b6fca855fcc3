// Transfer learning as a user does it: weights from a file, a frozen base, a new head.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "apps/weights_of_runs.h"
#include "io/torch_files.h"
#include "training/small_network.h"
#include "training/vgg16_rule.h"

#include <millrace/core/shell_text.h>
#include <millrace/io/safetensors.h>
#include <millrace/nn/layers/batch_norm.h>
#include <millrace/training/pretrained.h>

using namespace millrace;
using namespace millrace::test;

namespace fs = std::filesystem;

namespace {

/// A model file of the network whose weights were recorded.
fs::path write_small_network(const Scratch& scratch) {
  const nn::Model model = small_network();
  save_model(
      scratch / "model.safetensors", model,
      std::vector<float>(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model)))));
  return scratch / "model.safetensors";
}

}  // namespace

TEST_CASE("a frozen base keeps its weights to the bit while a new head learns") {
  const Scratch scratch;
  const fs::path first = first_run(scratch);
  const fs::path data = write_classes(scratch / "two", {"dark", "light"}, 10, 20);
  const Outcome outcome =
      trained(data, scratch / "second",
              {"--weights", first.string(), "--head", "gap,dense:8:relu,dense", "--freeze", "conv",
               "--epochs", "3", "--batch", "4", "--weight-decay", "0.1"});
  CHECK(holds(outcome.out,
              "(Millrace): 4 of 8 tensors of the model; not in the file: "
              "head.dense1.weight, head.dense1.bias, head.dense2.weight"));
  CHECK(holds(outcome.out, "left over in the file: dense1.bias, dense1.weight, dense2.bias"));
  // 6 * 8 + 8 + 8 + 1, and 4 * 27 + 4 + 6 * 36 + 6 that are frozen
  CHECK(holds(outcome.out, "trained     65 of 399 parameters"));
  const fs::path second = scratch / "second/model.safetensors";
  for (const char* name : {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"}) {
    CHECK(tensor(second, name) == tensor(first, name));
  }
  // Without --freeze they learn, from the same start.
  trained(data, scratch / "third",
          {"--weights", first.string(), "--head", "gap,dense:8:relu,dense", "--epochs", "1",
           "--batch", "4"});
  CHECK(tensor(scratch / "third/model.safetensors", "conv1.weight") !=
        tensor(first, "conv1.weight"));
  CHECK(run({"evaluate", second.string(), data.string()}).status == 0);
}

TEST_CASE("the recipe of transfer learning runs to its end with VGG16's features from the cache") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "photos", {"cats", "dogs"}, 6, 40);
  const std::string recipe = MILLRACE_RECIPES "/vgg16-transfer.ini";
  const Arguments small = {"--recipe", recipe, "--size", "32", "--epochs", "2", "--batch", "4"};
  const RunOptions options{.environment = {{"XDG_CACHE_HOME", scratch.path().string()}}};

  const Outcome without = train(data, scratch / "none", small, options);
  CHECK(without.status == 1);
  CHECK(Outcome::lines(without.err).size() == 1);
  CHECK(holds(without.err, "no such weight file; 'scripts/fetch-weights vgg16' fetches"));

  const fs::path cache = scratch / "millrace";
  fs::create_directories(cache);
  const fs::path weights = write_vgg16(cache / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5");
  const Outcome outcome = train(data, scratch / "run", small, options);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(holds(outcome.out, "(PyTorch): 26 of 30 tensors of the model"));
  CHECK(holds(outcome.out, "input       torch: "));
  CHECK(holds(outcome.out, "they were trained with this input"));
  CHECK(holds(outcome.out, "trained     526,337 of 15,241,025 parameters"));
  const fs::path model = scratch / "run/model.safetensors";
  for (const char* name : {"features.0.weight", "features.28.bias"}) {
    CHECK(tensor(model, name) == tensor(weights, name));
  }
  // The run can be repeated from its own recipe, without the cache's name, to the bit with the
  // algorithms that it kept.
  const fs::path other = scratch / "other/millrace";
  fs::create_directories(other);
  if (fs::exists(scratch / "run/algorithms.json")) {
    fs::copy_file(scratch / "run/algorithms.json", other / "onednn-timings.json");
  }
  const Outcome repeated = run({"train", "--recipe", (scratch / "run/config.ini").string(),
                                "--run-dir", (scratch / "again").string()},
                               {.environment = {{"XDG_CACHE_HOME", (scratch / "other").string()}}});
  INFO(repeated.err);
  CHECK(repeated.status == 0);
  CHECK(tensor(scratch / "again/model.safetensors", "head.dense1.weight") ==
        tensor(model, "head.dense1.weight"));
}

TEST_CASE("options win over the preprocessing that belongs to the weights") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "photos", {"cats", "dogs"}, 3, 32);
  const fs::path weights = write_vgg16(scratch / "vgg.safetensors");
  const Outcome outcome =
      trained(data, scratch / "run",
              {"--model", "vgg16", "--weights", weights.string(), "--head", "gap,dense", "--freeze",
               "features", "--scale", "0.5", "--limit-batches", "1", "--epochs", "1"});
  CHECK(holds(outcome.out, "they were trained with another input, torch: "));
}

TEST_CASE("networks of the zoo train by name, whole or with a new head on a frozen front") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "photos", {"cats", "dogs"}, 3, 40);
  const Arguments quick = {"--size", "40", "--epochs", "1", "--batch", "3"};
  for (const auto& [name, front] :
       {std::pair("resnet18", "conv1,bn1,layer"), std::pair("squeezenet1_1", "features"),
        std::pair("mobilenet_v3_small", "features"),
        std::pair("efficientnet_lite0", "_conv,_bn,_blocks")}) {
    INFO(name);
    const fs::path first = scratch / name, second = scratch / (std::string(name) + "-head");
    trained(data, first, with({"--model", name}, quick));
    const fs::path file = first / "model.safetensors";
    const Outcome outcome = trained(data, second,
                                    with({"--model", name, "--weights", file.string(), "--head",
                                          "gap,dense", "--freeze", front},
                                         quick));
    CHECK(holds(outcome.out, "not in the file: head.dense1.weight, head.dense1.bias"));
    CHECK(run({"evaluate", second.string(), data.string()}).status == 0);
  }
}

TEST_CASE("requests for transfer learning that cannot be are refused in one line") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "d", {"a", "b"}, 3, 32).string();
  const std::string keras = kKeras + "keras2.h5";
  const auto refused = [&](Arguments more, int status, const std::string& part) {
    Arguments arguments{"train", data, "--run-dir", (scratch / "run").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    check_refused(arguments, status, part);
    CHECK_FALSE(fs::exists(scratch / "run"));
  };
  refused({"--freeze", "conv"}, 2, "--weights FILE");
  refused({"--weights", "none.h5"}, 1,
          "none.h5: no such weight file; 'scripts/fetch-weights vgg16'");
  refused({"--weights", keras}, 2, "holds only weights; name their model");
  refused({"--model", "vgg16", "--weights", keras}, 1, "weights of another model");
  refused(
      {"--model", "vgg16", "--weights", keras, "--freeze", "featurs"}, 2,
      "train: no layer with weights has a name that begins with 'featurs'; there are features.0");
  refused({"--model", "cnn:4:8", "--head", "gap,dens"}, 2, "train: head 'gap,dens': 'dens'");

  std::vector<std::byte> bytes = read_file(keras);
  bytes.resize(bytes.size() / 2);
  scratch.write("cut.h5", bytes);
  refused({"--model", "cnn:4:8", "--weights", (scratch / "cut.h5").string()}, 1, "truncated file");
  bytes = read_file(kKeras + "torch.safetensors");
  bytes.pop_back();
  scratch.write("cut.safetensors", bytes);
  refused({"--model", "cnn:4:8", "--weights", (scratch / "cut.safetensors").string()}, 1,
          "cut.safetensors: tensor 'dense2.weight': its numbers end beyond the file");
}

TEST_CASE("a layer that is frozen must be in the file") {
  const Scratch scratch;
  const fs::path first = first_run(scratch);
  const std::string data = write_classes(scratch / "d", {"a", "b"}, 3, 20).string();
  check_refused(
      {"train", data, "--run-dir", (scratch / "run").string(), "--weights", first.string(),
       "--head", "gap,dense:8:relu,dense", "--freeze", "conv,head.dense1"},
      1, "has no 'head.dense1.weight', but --freeze conv,head.dense1 keeps that layer");
}

TEST_CASE("weights of Keras become a file that Millrace and PyTorch read") {
  const Scratch scratch;
  const std::string out = (scratch / "out.safetensors").string();
  const std::string model = write_small_network(scratch).string();
  const std::string keras = kKeras + "keras3.weights.h5";
  check_refused({"convert", "weights", keras, out}, 2, "name their model");
  check_refused({"convert", "weights", keras}, 2, "needs IN and OUT");
  const Outcome outcome = run({"convert", "weights", keras, out, "--model", model});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(holds(outcome.out, "12 of 12 tensors of the model"));
  // Keras's kernel [rows][columns][in][out] as [out][in][rows][columns].
  const auto keras_kernel = read_json(kKeras + "weights.json")
                                .at("keras_variables")
                                .at("first/kernel")
                                .get<std::vector<float>>();
  const auto kernel = tensor(out, "conv1.weight");
  CHECK(kernel[(2 * 3 + 1) * 9 + 5] == keras_kernel[(5 * 3 + 1) * 4 + 2]);
  CHECK(run({"inspect", out}).status == 0);
}

TEST_CASE("weights that torch.save wrote train and become a file that Millrace reads") {
  const Scratch scratch;
  const std::string model = write_small_network(scratch).string();
  const std::string out = (scratch / "out.safetensors").string();
  for (const char* name : {"network_zip.pth", "network_strided_legacy.pth"}) {
    const Outcome outcome =
        run({"convert", "weights", kKeras + name, out, "--model", model, "--overwrite"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(holds(outcome.out, "(PyTorch): 12 of 12 tensors of the model"));
    CHECK(tensor(out, "conv2.weight") == tensor(kKeras + "torch.safetensors", "conv2.weight"));
  }
  const std::string data = write_classes(scratch / "data", {"a", "b", "c"}, 3, 8).string();
  const Outcome trained =
      run({"train", data, "--run-dir", (scratch / "run").string(), "--epochs", "1", "--model",
           model, "--weights", kKeras + "network_checkpoint.pth"});
  INFO(trained.err);
  CHECK(trained.status == 0);
  CHECK(holds(trained.out, "12 of 12 tensors of the model; read without the prefix module."));
  const std::string hostile =
      scratch.write("bad.pth", legacy_file(pickled::whole(pickled::global("os", "system"))))
          .string();
  check_refused({"convert", "weights", hostile, out, "--model", model}, 1,
                "bad.pth: its pickle asks for os.system, which weights do not need; it is not run");
}

TEST_CASE("VGG16 is known by its tensors when it is converted") {
  const Scratch scratch;
  const fs::path weights = write_vgg16(scratch / "vgg.safetensors");
  const Outcome outcome =
      run({"convert", "weights", weights.string(), (scratch / "out.safetensors").string()});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(holds(outcome.out, "model 'vgg16', input 224x224x3, 26 tensors; pixels torch: "));
  CHECK(tensor(scratch / "out.safetensors", "features.21.weight") ==
        tensor(weights, "features.21.weight"));
}

TEST_CASE("inspect puts two models side by side") {
  const Outcome outcome =
      run({"inspect", "mlp:32", "--against", "mlp:64", "--input", "8x8x1", "--outputs", "10"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(holds(outcome.out, "2,410"));  // 64 * 32 + 32 + 32 * 10 + 10
  CHECK(holds(outcome.out, "4,810"));
  CHECK(holds(outcome.out, "training step ms at batch 32"));
  CHECK(holds(outcome.out, "MFLOP a sample, forward"));
  check_refused({"inspect", "devices", "--against", "cnn"}, 2, "--against compares models");
}

TEST_CASE("inspect gives a name the input and the outputs of the model that it is compared with") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  for (const auto& [one, other] :
       {std::pair(model, std::string("mlp:5")), std::pair(std::string("mlp:5"), model)}) {
    const Outcome outcome = run({"inspect", "model", one, "--against", other, "--batch", "4"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(holds(outcome.out, "16x16x3"));
    CHECK(holds(outcome.out, "3,851"));  // 768 * 5 + 5 + 5 + 1
  }
  check_refused({"inspect", "mlp:5", "--against", "mlp:6"}, 2, "needs --input HxWxC");
}

TEST_CASE("train tells who has few photographs what does better, unless there are weights") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "photos", {"cats", "dogs"}, 3, 70);
  const Arguments quick{"--epochs", "1", "--model", "mlp:2"};
  const Outcome alone = trained(data, scratch / "run", quick);
  CHECK(holds(alone.out, "images are few to learn from alone"));
  CHECK(
      holds(alone.out, "millrace train " + shell_quoted(data.native()) + " --recipe transfer.ini"));
  const Outcome further =
      trained(data, scratch / "more",
              {"--epochs", "1", "--weights", (scratch / "run/model.safetensors").string()});
  CHECK_FALSE(holds(further.out, "are few"));
}

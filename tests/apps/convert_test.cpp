// Models on their way out: convert onnx, and weights in PyTorch's order.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "apps/weights_of_runs.h"

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model_json.h>

#include <set>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

std::string converted(const Arguments& arguments) {
  const Outcome outcome = run(with({"convert"}, arguments));
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  return outcome.out;
}

std::set<std::string> files_of(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

/// Every tensor of a safetensors file: shape and values.
std::map<std::string, std::pair<Shape, std::vector<float>>> tensors_of(const fs::path& path) {
  std::map<std::string, std::pair<Shape, std::vector<float>>> result;
  const SafetensorsFile file(path);
  for (const auto& one : file.tensors()) {
    if (one.dtype == "F32") result[one.name] = {one.shape, tensor(path, one.name)};
  }
  return result;
}

}  // namespace

TEST_CASE("convert onnx takes a run or a model file and says what the graph is given and gives") {
  const Scratch scratch;
  const fs::path file = first_run(scratch);
  const std::string out = (scratch / "out.onnx").string();
  CHECK(converted({"onnx", file.parent_path().string(), out}) ==
        concat(out,
               ": model 'cnn:4,6:8', 12 nodes, opset 17, IR 8\n"
               "input   \"input\", float32 Nx3x20x20: turned upright, resized to 20x20 (bilinear); "
               "then rescale: pixel / 255\n"
               "output  \"output\", float32 Nx3: probabilities of a, b, c\n"));
  const std::string other = (scratch / "other.onnx").string();
  CHECK(converted({"onnx", file.string(), other, "--quiet"}).empty());
  CHECK(read_file(out) == read_file(other));
  const std::string inside = converted(
      {"onnx", file.string(), out, "--with-preprocessing", "--opset", "21", "--overwrite"});
  CHECK(holds(inside, "13 nodes, opset 21, IR 10\n"));
  CHECK(holds(inside,
              "resized to 20x20 (bilinear), 0 to 255, RGB; inside the graph rescale: pixel / "
              "255\n"));
}

TEST_CASE("convert onnx refuses what cannot be meant in one line, and replaces nothing unasked") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string out = (scratch / "out.onnx").string();
  check_refused({"convert", "onnx"}, 2, "convert onnx: needs MODEL and OUT");
  check_refused({"convert", "onnx", model}, 2, "convert onnx: needs MODEL and OUT");
  check_refused({"convert", "onnx", (scratch / "none").string(), out}, 1, "none: no such model");
  check_refused({"convert", "onnx", kKeras + "torch.safetensors", out}, 1,
                "holds weights but no model of Millrace; 'millrace convert weights' adds one");
  check_refused({"convert", "onnx", model, out, "--opset", "12"}, 2, "--opset");
  check_refused({"convert", "onnx", model, out, "--no-shuffle"}, 2, "'convert tar'");
  check_refused({"convert", "tar", model, out, "--opset", "17"}, 2, "'convert onnx'");
  check_refused({"convert", "onnx", model, out, "--model", "cnn"}, 2, "'convert weights'");
  check_refused({"convert", "onnx", model, model, "--overwrite"}, 2, "is the model itself");
  CHECK_FALSE(fs::exists(out));
  CHECK(holds(converted({"onnx", model, out}), "float32 Nx1: probability of light, else dark\n"));
  const auto before = read_file(out);
  check_refused({"convert", "onnx", model, out, "--with-preprocessing"}, 1,
                "out.onnx: exists already; choose another name, or --overwrite it");
  CHECK(read_file(out) == before);
  converted({"onnx", model, out, "--with-preprocessing", "--overwrite"});
  CHECK(read_file(out) != before);
}

TEST_CASE("convert onnx names the layer that has no translation, and leaves no part of a file") {
  const Scratch scratch;
  nn::Model model = nn::ModelBuilder("normed", {4}).dense(3).layer_norm().named("norm").build();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  const std::string file = (scratch / "model.safetensors").string();
  save_model(file, model, weights);
  const std::string out = (scratch / "out.onnx").string();
  check_refused({"convert", "onnx", file, out, "--opset", "16"}, 1,
                file + ": layer 1 'norm': layer_norm needs --opset 17 or later");
  model.preprocessing.samplewise_center = true;
  model.input = {4, 4, 3};
  model.layers.insert(model.layers.begin(), {.name = "pool", .kind = nn::GlobalAvgPool{}});
  weights.resize(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  save_model(file, model, weights);
  check_refused({"convert", "onnx", file, out, "--with-preprocessing"}, 1,
                "looks at whole samples and is not put into graphs; convert without");
  // A disk that is full.
  model = nn::ModelBuilder("large", {1000}).dense(100).build();
  weights.resize(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  save_model(file, model, weights);
  const Outcome full = run({"convert", "onnx", file, out}, {.file_size_limit = 100'000});
  CHECK(full.status == 1);
  CHECK(Outcome::lines(full.err).size() == 1);
  CHECK(holds(full.err, "out.onnx"));
  CHECK(files_of(scratch.path()) == std::set<std::string>{"model.safetensors"});
}

TEST_CASE("weights that PyTorch wrote come back from convert weights to the bit") {
  const Scratch scratch;
  const std::string theirs = kKeras + "torch.safetensors";
  const nn::Model model = nn::ModelBuilder("small", {8, 8, 3})
                              .conv(4, 3, nn::Padding::same)
                              .relu()
                              .batch_norm({.epsilon = 1e-3F})
                              .max_pool()
                              .conv(5)
                              .flatten()
                              .dense(6)
                              .relu()
                              .dense(3)
                              .softmax()
                              .build();
  const std::string json = scratch.write("small.json", nn::to_json(model)).string();
  const std::string first = (scratch / "first.safetensors").string();
  converted({"weights", theirs, first, "--model", json});
  CHECK(tensors_of(first) == tensors_of(theirs));
  // The dense layer after the flatten has our order in the model that is loaded.
  const SavedModel loaded = load_model(first);
  save_model(scratch / "ours.safetensors", loaded.model, loaded.parameters);
  CHECK(tensors_of(scratch / "ours.safetensors") != tensors_of(theirs));
  const std::string second = (scratch / "second.safetensors").string();
  converted({"weights", (scratch / "ours.safetensors").string(), second});
  CHECK(tensors_of(second) == tensors_of(theirs));
  CHECK(read_file(second) == read_file(first));
}

TEST_CASE("convert weights takes a run directory, and the run's model is in the file") {
  const Scratch scratch;
  const fs::path file = first_run(scratch);
  const std::string out = (scratch / "out.safetensors").string();
  converted({"weights", file.parent_path().string(), out});
  const SavedModel before = load_model(file), after = load_model(out);
  CHECK(after.model == before.model);
  CHECK(after.parameters == before.parameters);
  CHECK(tensor(out, "dense1.weight") != tensor(file, "dense1.weight"));  // PyTorch's flatten
  CHECK(tensor(out, "conv2.weight") == tensor(file, "conv2.weight"));
}

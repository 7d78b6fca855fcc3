// convert weights: the model that it writes is the one that predict opens, and no file is lost.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <millrace/io/safetensors.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/zoo/zoo.h>

#include <span>

using namespace millrace;
using namespace millrace::test;

namespace fs = std::filesystem;

namespace {

constexpr const char* kName = "cnn:2,3:4";

SavedModel small(std::int64_t side, std::int64_t outputs) {
  SavedModel saved{nn::zoo_model(kName, {side, side, 3}, outputs), {}};
  saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(saved.model))));
  nn::initialize(saved.model, 7, saved.parameters);
  return saved;
}

/// As PyTorch writes it: tensors alone.
std::string write_tensors(const fs::path& path, const SavedModel& saved) {
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(saved.parameters)
                           .subspan(static_cast<std::size_t>(p.offset),
                                    static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(path, tensors);
  return path.string();
}

Outcome converted(const Arguments& arguments) {
  const Outcome outcome = run(with({"convert", "weights"}, arguments));
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return outcome;
}

}  // namespace

TEST_CASE("a converted model answers as predict does of its name with the weights") {
  const Scratch scratch;
  const std::string weights = write_tensors(scratch / "w.safetensors", small(224, 5));
  const std::string out = (scratch / "o.safetensors").string();
  converted({weights, out, "--model", kName, "--class-names", "a,b,c,d,e"});
  const nn::Model model = load_model(out).model;
  CHECK(model.input == Shape{224, 224, 3});
  CHECK(model.classes.size() == 5);
  CHECK(model.preprocessing == nn::Preprocessing{.exif_orientation = true});
  const std::string image = write_plain(scratch / "x.png", 60, 40).string();
  CHECK(run({"predict", out, image, "--top", "5", "--json"}).out ==
        run({"predict", kName, "--weights", weights, image, "--top", "5", "--json", "--class-names",
             "a,b,c,d,e"})
            .out);
  check_refused(
      {"convert", "weights", weights, out, "--model", kName, "--class-names", "a,b", "--overwrite"},
      2, "convert weights: --class-names has 2 names, and the model 5 classes");
}

TEST_CASE("where several sizes fit, convert weights names its own options") {
  const Scratch scratch;
  const std::string weights = write_tensors(scratch / "w.safetensors", small(150, 2));
  const std::string out = (scratch / "o.safetensors").string();
  check_refused({"convert", "weights", weights, out, "--model", kName}, 2,
                "with any input from 150x150 to 153x153; say which they were trained with: --model "
                "cnn:2,3:4 --input 153x153x3 --outputs 2\n");
  CHECK_FALSE(fs::exists(out));
  converted({weights, out, "--model", kName, "--input", "150x150x3", "--outputs", "2"});
  CHECK(load_model(out).model.input == Shape{150, 150, 3});
  converted({weights, out, "--model", kName, "--input", "151x151x3", "--overwrite"});
  CHECK(load_model(out).model.input == Shape{151, 151, 3});
  check_refused({"convert", "weights", weights, (scratch / "n").string(), "--model", kName,
                 "--input", "150x150x3", "--outputs", "3"},
                1, "'dense2.weight' is 2x4 in the file, 3x4 in the model");
  const std::string usual = write_tensors(scratch / "u.safetensors", small(224, 2));
  converted({usual, out, "--model", kName, "--outputs", "2", "--overwrite"});
  CHECK(load_model(out).model.input == Shape{224, 224, 3});
  check_refused({"convert", "weights", "none.h5", out}, 1, "which are then called vgg16; there");
}

TEST_CASE("convert weights and convert onnx replace a file only where they are told to") {
  const Scratch scratch;
  const SavedModel saved = small(40, 2);
  const std::string from = (scratch / "m.safetensors").string();
  save_model(from, saved.model, saved.parameters);
  const std::string own = scratch.write("own.safetensors", "a trained model").string();
  for (const char* form : {"weights", "onnx"}) {
    check_refused({"convert", form, from, own}, 1,
                  own + ": exists already; choose another name, or --overwrite it");
    check_refused({"convert", form, from, from, "--overwrite"}, 2, "is the model itself");
    CHECK(fs::file_size(own) == 15);
  }
  converted({from, own, "--overwrite"});
  CHECK(load_model(own).parameters == saved.parameters);
  // What cannot be written whole is not there at all.
  check_refused({"convert", "weights", from, (scratch / "none/o.safetensors").string()}, 1, "none");
  CHECK_FALSE(fs::exists(scratch / "none"));
}

TEST_CASE("training reads images as the weights that it begins with were trained") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "d", {"a", "b"}, 3, 40);
  SavedModel saved = small(40, 2);
  saved.model.preprocessing = {.filter = "nearest", .scale = 0.5F, .background = Colour{1, 2, 3}};
  const std::string file = (scratch / "m.safetensors").string();
  save_model(file, saved.model, saved.parameters);
  const auto preprocessing_of = [&](const Arguments& more) {
    trained(data, scratch / "run",
            with({"--model", kName, "--weights", file, "--epochs", "1", "--overwrite"}, more));
    return load_model(scratch / "run/model.safetensors").model.preprocessing;
  };
  CHECK(preprocessing_of({}) == saved.model.preprocessing);
  const nn::Preprocessing named = preprocessing_of({"--preprocessing", "tf"});
  CHECK(named.filter == "nearest");
  CHECK(named.background == Colour{1, 2, 3});
  CHECK_FALSE(named.exif_orientation);
  CHECK(named.mean.size() == 3);
  CHECK(preprocessing_of({"--filter", "box"}).filter == "box");
  CHECK(preprocessing_of({"--scale", "0.25"}).scale == 0.25F);
}

// `millrace train` with fitted, samplewise and whitened input, class modes, class weights and the
// contact sheet; evaluate and predict with what it saved.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <millrace/io/decode.h>
#include <millrace/io/files.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/saved_model.h>

#include <nlohmann/json.hpp>

namespace {

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;
namespace fs = std::filesystem;

/// A short run on images of 16x16 that ends with a validation on `data` itself.
Outcome trained_on(const fs::path& data, const fs::path& run_dir, Arguments more,
                   const char* epochs = "3") {
  more.insert(more.end(), {"--validation", data.string(), "--model", "mlp:8", "--epochs", epochs,
                           "--batch", "4"});
  return trained(data, run_dir, more);
}

std::vector<float> weights_of(const fs::path& run_dir) {
  return load_model(run_dir / "model.safetensors").parameters;
}

}  // namespace

TEST_CASE("evaluate and predict see images as training did, whatever the preprocessing") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs", "emus"}, 5);
  const std::vector<Arguments> kinds = {
      {"--featurewise-std"},        {"--samplewise-center"},
      {"--samplewise-std"},         {"--zca", "--size", "8", "--zca-epsilon", "0.1"},
      {"--preprocessing", "caffe"}, {"--preprocessing", "tf"},
      {"--preprocessing", "torch"}, {"--samplewise-center", "--featurewise-std", "--flip"}};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const fs::path run_dir = scratch / ("run" + std::to_string(i));
    const Outcome training = trained_on(data, run_dir, kinds[i]);
    const Outcome evaluation = run({"evaluate", run_dir.string(), data.string(), "--json",
                                    "--batch", "4", "--compute-threads", "1"});
    INFO(kinds[i][0] << evaluation.err);
    REQUIRE(evaluation.status == 0);
    const auto result = nlohmann::json::parse(evaluation.out);
    CHECK(result.at("loss").get<double>() ==
          Approx(std::stod(column(run_dir, "val_loss").back())).epsilon(1e-5));
    const Outcome prediction = run({"predict", run_dir.string(), (data / "cats/0.png").string()});
    CHECK(prediction.status == 0);
  }
}

TEST_CASE("what was fitted to the training samples is in the saved model") {
  const Scratch scratch;
  // Brightness 20 and 220 with a texture of 0..15 on top: each channel has mean 127.5.
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 4);
  const Outcome outcome = trained_on(data, scratch / "run", {"--featurewise-std"});
  const nn::Preprocessing fitted =
      load_model(scratch / "run/model.safetensors").model.preprocessing;
  REQUIRE(fitted.mean.size() == 3);
  for (const float mean : fitted.mean) CHECK(mean == Approx(127.5 / 255).epsilon(0.01));
  for (const float deviation : fitted.deviation)
    CHECK(deviation == Approx(100.1 / 255).epsilon(0.01));
  CHECK_FALSE(nn::needs_whole_samples(fitted));
  CHECK_THAT(outcome.out, Contains("input       pixel / 255, minus 0."));

  trained_on(data, scratch / "zca", {"--zca", "--size", "6", "--fit-samples", "6"});
  const nn::Preprocessing whitened =
      load_model(scratch / "zca/model.safetensors").model.preprocessing;
  REQUIRE(whitened.whitening != nullptr);
  CHECK(whitened.whitening->size() == 108 * 108);
}

TEST_CASE("columns of a table are standardised one by one") {
  const Scratch scratch;
  std::string table;
  for (int i = 0; i < 20; ++i) {
    table +=
        std::to_string(1000 + i) + "," + std::to_string(i % 2) + "," + std::to_string(i % 2) + "\n";
  }
  const fs::path data = scratch.write("table.csv", table);
  trained_on(data, scratch / "run", {"--featurewise-std"});
  const nn::Preprocessing fitted =
      load_model(scratch / "run/model.safetensors").model.preprocessing;
  CHECK(fitted.mean == std::vector<float>{1009.5F, 0.5F});
  CHECK(fitted.deviation.at(0) == Approx(5.766281));  // sqrt((20^2 - 1) / 12)
  CHECK(fitted.deviation.at(1) == Approx(0.500001));
}

TEST_CASE("categorical labels train as sparse ones do, to the bit, and binary has one output") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  for (const char* mode : {"sparse", "categorical", "binary"}) {
    trained_on(data, scratch / mode, {"--class-mode", mode});
  }
  CHECK(weights_of(scratch / "sparse") == weights_of(scratch / "categorical"));
  CHECK(column(scratch / "sparse", "val_loss") == column(scratch / "categorical", "val_loss"));
  const auto outputs = [&](const char* mode) {
    const nn::Model model = load_model(scratch / mode / "model.safetensors").model;
    return nn::summarize(model).back().output.elements();
  };
  CHECK(outputs("categorical") == 2);
  CHECK(outputs("binary") == 1);
}

TEST_CASE("class mode input learns to give the image back") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  trained_on(data, scratch / "run", {"--class-mode", "input", "--size", "8"}, "30");
  const nn::Model model = load_model(scratch / "run/model.safetensors").model;
  CHECK(nn::summarize(model).back().output == Shape{8 * 8 * 3});
  CHECK(model.classes.empty());
  const Arguments losses = column(scratch / "run", "val_loss");
  CHECK(std::stod(losses.back()) < 0.9 * std::stod(losses.front()));
}

TEST_CASE("class mode input takes no preprocessing that leaves 0 to 1, fitted or given") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "data", {"cats", "dogs"}, 4).string();
  const std::vector<Arguments> refused = {{"--featurewise-center"},
                                          {"--featurewise-std"},
                                          {"--featurewise-center", "--featurewise-std"},
                                          {"--zca"},
                                          {"--samplewise-center"},
                                          {"--samplewise-std"},
                                          {"--mean", "0.5", "--deviation", "0.5"},
                                          {"--mean=-0.1,0,0"},
                                          {"--deviation", "0.9"},
                                          {"--scale", "1"},
                                          {"--scale=-0.001"},
                                          {"--scale", "0.0040"},
                                          {"--preprocessing", "tf"},
                                          {"--preprocessing", "torch"},
                                          {"--preprocessing", "caffe"}};
  for (const Arguments& options : refused) {
    Arguments arguments{"train",  data, "--class-mode", "input",
                        "--size", "8",  "--run-dir",    (scratch / "run").string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    check_refused(arguments, 2, "--class-mode input compares outputs with pixels in 0..1");
    CHECK_FALSE(fs::exists(scratch / "run"));
  }
  for (const Arguments& options :
       {Arguments{"--scale", "0.002"}, Arguments{"--preprocessing", "rescale"},
        Arguments{"--scale", "0.0078431373", "--deviation", "2,2,2"}}) {
    Arguments more{"--class-mode", "input", "--size", "8", "--overwrite"};
    more.insert(more.end(), options.begin(), options.end());
    trained_on(data, scratch / "fine", more);
  }
}

TEST_CASE("balanced classes weigh what the counts of training samples say") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 3);
  for (int i = 3; i < 9; ++i) write_image(data / "dogs" / (std::to_string(i) + ".png"), 220, i);
  // 12 samples: 3 cats and 9 dogs weigh 12 / (2 * 3) and 12 / (2 * 9).
  trained_on(data, scratch / "balanced", {"--class-weight", "balanced"});
  trained_on(data, scratch / "named", {"--class-weight", "dogs=0.6666667,cats=2"});
  trained_on(data, scratch / "plain", {});
  CHECK(weights_of(scratch / "balanced") == weights_of(scratch / "named"));
  CHECK(weights_of(scratch / "balanced") != weights_of(scratch / "plain"));
}

TEST_CASE("show-augmented writes an image of what the model will see before it trains") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  const Outcome outcome =
      trained_on(data, scratch / "run", {"--show-augmented", "6", "--preprocessing", "caffe"});
  const fs::path sheet = scratch / "run/augmented.png";
  CHECK_THAT(outcome.out, Contains("augmented   " + sheet.string() + "\n"));
  Decoder decoder;
  std::vector<std::uint8_t> pixels(38 * 56 * 3);  // 2 rows of 3 of 16x16, with gaps of 2
  CHECK(image_info(read_file(sheet), "sheet").width == 56);
  decoder.decode_file(sheet, {pixels.data(), 38, 56, 3}, Filter::nearest);
  // A cat is 20 to 35, a dog 220 to 235.
  for (int i = 0; i < 6; ++i) {
    const std::uint8_t pixel =
        pixels[static_cast<std::size_t>(((2 + i / 3 * 18) * 56 + 2 + i % 3 * 18) * 3)];
    CHECK(((pixel >= 20 && pixel < 36) || (pixel >= 220 && pixel < 236)));
  }
  // Looking does not change the run.
  trained_on(data, scratch / "other", {"--preprocessing", "caffe"});
  CHECK(weights_of(scratch / "run") == weights_of(scratch / "other"));
}

TEST_CASE("preprocessing and labels that make no sense are refused in one line each") {
  const Scratch scratch;
  const std::string images =
      write_classes(scratch / "data", {"cats", "dogs", "emus"}, 4, 80).string();
  const std::string table = scratch.write("table.csv", "1,2,0\n3,4,1\n5,6,0\n7,8,1\n").string();
  struct Case {
    std::string data;
    Arguments options;
    int status;
    std::string message;
  };
  const std::vector<Case> cases = {
      {images, {"--zca"}, 1, "a sample of 19200 elements needs a matrix of 19200 x 19200 numbers"},
      {images, {"--zca", "--featurewise-std"}, 2, "leave out --featurewise-std"},
      {images, {"--zca-epsilon", "-1"}, 2, "zca-epsilon must be 0 or more"},
      {images, {"--fit-samples", "5"}, 2, "--fit-samples has no effect without something to fit"},
      {images, {"--preprocessing", "coffee"}, 2, "unknown preprocessing 'coffee'"},
      {images, {"--preprocessing", "tf", "--mean", "1"}, 2, "preprocessing tf sets --mean itself"},
      {images, {"--preprocessing", "caffe", "--channels", "1"}, 2, "needs RGB images"},
      {images, {"--featurewise-center", "--mean", "1"}, 2, "would be replaced"},
      {images, {"--class-mode", "binary"}, 2, "is for two classes; the data have 3"},
      {images, {"--class-mode", "none"}, 2, "gives nothing to learn from"},
      {images, {"--class-mode", "input", "--metrics", "auc"}, 2, "--metrics are for classes"},
      {images, {"--class-mode", "many"}, 2, "unknown class mode 'many'"},
      {images, {"--class-mode", "input", "--samplewise-std"}, 2, "compares outputs with pixels"},
      {images, {"--class-weight", "owls=2"}, 2, "unknown class 'owls'; classes: cats, dogs"},
      {images, {"--show-augmented", "5000"}, 2, "--show-augmented must be in 0 to 1024"},
      {table, {"--zca"}, 2, "--zca is for images, and the data are rows of 2 numbers"},
      {table, {"--samplewise-std"}, 2, "--samplewise-std is for images"},
      {table, {"--show-augmented", "4"}, 2, "samples of 2 are not images"},
  };
  for (const Case& c : cases) {
    const Outcome outcome = train(c.data, scratch / "run", c.options);
    INFO(c.message << '\n' << outcome.err);
    CHECK(outcome.status == c.status);
    CHECK(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains(c.message));
    CHECK_FALSE(fs::exists(scratch / "run" / "model.safetensors"));
    fs::remove_all(scratch / "run");
  }
}

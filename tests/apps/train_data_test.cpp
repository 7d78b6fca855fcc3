// `train` on each kind of data with each recipe and with models from files.

#include "apps/train_run.h"
#include "io/idx_files.h"

#include <millrace/nodes/saved_model.h>

#include <set>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

const fs::path kRecipes = MILLRACE_RECIPES;

/// ROOT/0/0.png ... of one channel, `each` for each of ten classes.
fs::path write_grey(const fs::path& root, int each, int size) {
  for (int label = 0; label < 10; ++label) {
    const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size * size),
                                           static_cast<std::uint8_t>(20 * label));
    const std::vector<std::byte> file = encode_png({pixels.data(), size, size, 1});
    const fs::path folder = root / std::to_string(label);
    fs::create_directories(folder);
    for (int i = 0; i < each; ++i) write_file(folder / (std::to_string(i) + ".png"), file);
  }
  return root;
}

/// `count` rows of one feature: class 1 where it is above a half.
std::string table_of(int count) {
  std::string text = "x,class\n";
  for (int i = 0; i < count; ++i) {
    const double x = (i + 0.5) / count;
    text += std::to_string(x) + (x > 0.5 ? ",1\n" : ",0\n");
  }
  return text;
}

/// The two files of an IDX part: `count` images of 8x8, three classes in turn.
void write_idx(const fs::path& folder, const std::string& part, std::uint32_t count) {
  std::string pixels, labels;
  for (std::uint32_t i = 0; i < count; ++i) {
    pixels.append(64, static_cast<char>(i % 3 * 100));
    labels += static_cast<char>(i % 3);
  }
  fs::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& bytes) {
    write_file(folder / (part + name), std::as_bytes(std::span(bytes)));
  };
  write("-images-idx3-ubyte", idx_bytes({count, 8, 8}, pixels));
  write("-labels-idx1-ubyte", idx_bytes({count}, labels));
}

/// A model file for pictures of 16x16x3 in two classes.
fs::path write_model(const Scratch& scratch, const std::string& classes) {
  return scratch.write("own.json",
                       R"({"name": "own", "input": [16, 16, 3],
                           "preprocessing": {"filter": "lanczos", "scale": 1, "mean": [1, 2, 3]},
                           "classes": )" +
                           classes +
                           R"(, "layers": [{"name": "pool", "kind": "global_avg_pool"},
                                           {"name": "dense", "kind": "dense", "units": 2},
                                           {"name": "softmax", "kind": "softmax"}]})");
}

Arguments with_model(const fs::path& model) {
  return {"--model", model.string(), "--epochs", "1", "--batch", "4"};
}

}  // namespace

TEST_CASE("every recipe has a test here") {
  for (const auto& entry : fs::directory_iterator(kRecipes)) {
    INFO(entry.path());
    const std::string name = entry.path().filename().string();
    CHECK(std::set<std::string>{
        "batch-dense.ini",
        "cnn-augmented.ini",
        "cnn.ini",
        "fashion-mnist.ini",
    }.count(name) == 1);
  }
}

TEST_CASE("the recipe fashion-mnist trains on grey pictures of 28x28") {
  const Scratch scratch;
  const fs::path data = write_grey(scratch / "data", 25, 28);
  trained(data, scratch / "run",
          {"--recipe", (kRecipes / "fashion-mnist.ini").string(), "--epochs", "1",
           "--limit-batches", "1"});
  CHECK(column(scratch / "run", "samples") == Arguments{"100"});
  const nn::Model model = load_model(scratch / "run/model.safetensors").model;
  CHECK(model.input == Shape{28, 28, 1});
  CHECK(model.preprocessing.mean == std::vector<float>{0.5F});
  CHECK(model.preprocessing.deviation == std::vector<float>{0.5F});
}

TEST_CASE("the recipes cnn and cnn-augmented train on small pictures of two classes") {
  const std::string recipe = GENERATE("cnn.ini", "cnn-augmented.ini");
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5, 40);
  trained(data, scratch / "run",
          {"--recipe", (kRecipes / recipe).string(), "--epochs", "1", "--steps-per-epoch", "2"});
  CHECK(column(scratch / "run", "samples") == Arguments{"40"});
  const nn::Model model = load_model(scratch / "run/model.safetensors").model;
  CHECK(model.input == Shape{150, 150, 3});
  CHECK(model.preprocessing.filter == "nearest");
  CHECK(model.classes == std::vector<std::string>{"cats", "dogs"});
}

TEST_CASE("the recipe batch-dense trains on a table") {
  const Scratch scratch;
  const fs::path data = scratch.write("table.csv", table_of(64));
  trained(data, scratch / "run",
          {"--recipe", (kRecipes / "batch-dense.ini").string(), "--epochs", "2"});
  CHECK(column(scratch / "run", "samples") == Arguments{"64", "64"});
  const nn::Model model = load_model(scratch / "run/model.safetensors").model;
  CHECK(model.input == Shape{1});
  CHECK(model.preprocessing.scale == 1.0F);  // numbers are not pixels
}

TEST_CASE("IDX files and the class folders made of them are the same data to train on") {
  const Scratch scratch;
  write_idx(scratch / "idx", "train", 21);
  write_idx(scratch / "idx", "t10k", 6);
  const std::string idx = (scratch / "idx").string(), folders = (scratch / "folders").string();
  const Outcome converted = run({"convert", "idx", idx, folders});
  REQUIRE(converted.status == 0);
  CHECK_THAT(converted.out, Contains("27 pictures\n"));
  const Outcome again = run({"convert", "idx", idx, folders});
  CHECK(again.status == 0);
  CHECK_THAT(again.out, Contains("27 pictures, there already\n"));

  const Arguments options = {"--model", "mlp:8", "--epochs", "2", "--batch", "4"};
  const std::string validation = "validation  6 pictures of the test part of DATA\n";
  CHECK_THAT(trained(idx, scratch / "from_idx", options).out, Contains(validation));
  CHECK_THAT(trained(folders, scratch / "from_folders", options).out, Contains(validation));
  CHECK(column(scratch / "from_idx", "samples") == Arguments{"21", "21"});
  CHECK(column(scratch / "from_folders", "samples") == Arguments{"21", "21"});
  const nn::Model model = load_model(scratch / "from_folders/model.safetensors").model;
  CHECK(model.input == Shape{8, 8, 1});
  CHECK(model.classes == load_model(scratch / "from_idx/model.safetensors").model.classes);
}

TEST_CASE("a model from a file keeps its preprocessing and class names") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  trained(data, scratch / "run", with_model(write_model(scratch, R"(["cats", "dogs"])")));
  const nn::Model model = load_model(scratch / "run/model.safetensors").model;
  CHECK(model.preprocessing ==
        nn::Preprocessing{
            .filter = "lanczos", .scale = 1.0F, .mean = {1.0F, 2.0F, 3.0F}, .deviation = {}});
  CHECK(model.classes == std::vector<std::string>{"cats", "dogs"});
}

TEST_CASE("options change the preprocessing of a model from a file, each its own part") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  const Arguments base = with_model(write_model(scratch, R"(["cats", "dogs"])"));
  const nn::Preprocessing of_file{"lanczos", 1.0F, {1.0F, 2.0F, 3.0F}, {}};
  nn::Preprocessing filter = of_file, scale = of_file, mean = of_file, deviation = of_file;
  filter.filter = "box";
  scale.scale = 0.5F;
  mean.mean = {4.0F, 5.0F, 6.0F};
  deviation.deviation = {2.0F, 2.0F, 4.0F};
  const auto [option, value, expected] = GENERATE_COPY(
      table<std::string, std::string, nn::Preprocessing>({{"--filter", "box", filter},
                                                          {"--scale", "0.5", scale},
                                                          {"--mean", "4,5,6", mean},
                                                          {"--deviation", "2,2,4", deviation}}));
  INFO(option);
  Arguments more = base;
  more.insert(more.end(), {option, value});
  trained(data, scratch / "run", more);
  CHECK(load_model(scratch / "run/model.safetensors").model.preprocessing == expected);
}

TEST_CASE("a model from a file with other classes than the data is refused by name") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  const fs::path model = write_model(scratch, R"(["birds", "dogs"])");
  const Outcome outcome = train(data, scratch / "run", with_model(model));
  CHECK(outcome.status == 2);
  CHECK(Outcome::lines(outcome.err).size() == 1);
  CHECK_THAT(outcome.err, Contains(model.string()) && Contains("birds") && Contains("cats"));
  CHECK_FALSE(fs::exists(scratch / "run"));
}

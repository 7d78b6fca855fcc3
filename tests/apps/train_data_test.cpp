// `train` on each kind of data and with models from files. Recipes: recipes_test.cpp.

#include "apps/train_run.h"
#include "io/idx_files.h"

#include <millrace/nodes/saved_model.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

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

// `train` on each kind of data and with models from files. Recipes: recipes_test.cpp.

#include "apps/train_run.h"
#include "io/idx_files.h"

#include <millrace/training/saved_model.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// A model file for images of 16x16x3 in two classes.
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
  write_idx(scratch / "idx", "train", labels_in_turn(21, 3));
  write_idx(scratch / "idx", "t10k", labels_in_turn(6, 3));
  const std::string idx = (scratch / "idx").string(), folders = (scratch / "folders").string();
  const Outcome converted = run({"convert", "idx", idx, folders});
  REQUIRE(converted.status == 0);
  CHECK_THAT(converted.out, Contains("27 images\n"));
  const Outcome again = run({"convert", "idx", idx, folders});
  CHECK(again.status == 0);
  CHECK_THAT(again.out, Contains("27 images, there already\n"));

  const Arguments options = {"--model", "mlp:8", "--epochs", "2", "--batch", "4"};
  const std::string validation = "validation  6 images of the test part of DATA\n";
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
  CHECK(model.preprocessing == nn::Preprocessing{.filter = "lanczos",
                                                 .scale = 1.0F,
                                                 .mean = {1.0F, 2.0F, 3.0F},
                                                 .deviation = {},
                                                 .exif_orientation = true});
  CHECK(model.classes == std::vector<std::string>{"cats", "dogs"});
}

TEST_CASE("options change the preprocessing of a model from a file, each its own part") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  const Arguments base = with_model(write_model(scratch, R"(["cats", "dogs"])"));
  nn::Preprocessing of_file{"lanczos", 1.0F, {1.0F, 2.0F, 3.0F}, {}};
  of_file.exif_orientation = true;  // of which the file says nothing
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

TEST_CASE("IDX files with a label that no sample has train as the folders made of them do") {
  const Scratch scratch;
  write_idx(scratch / "idx", "train", {0, 2, 3, 0, 2, 3, 0, 2, 3, 0, 2, 3});
  write_idx(scratch / "idx", "t10k", {3, 2, 2});
  const std::string idx = (scratch / "idx").string(), folders = (scratch / "folders").string();
  REQUIRE(run({"convert", "idx", idx, folders, "--quiet"}).status == 0);
  const Arguments options = {"--model", "mlp:8", "--epochs", "1"};
  for (const std::string& data : {idx, folders}) {
    const Outcome outcome = trained(data, scratch / "run", options);
    CHECK_THAT(outcome.out,
               Contains("no images of the class '1'") && Contains("no images of the class '0'"));
    CHECK(load_model(scratch / "run/model.safetensors").model.classes ==
          Arguments{"0", "1", "2", "3"});
    fs::remove_all(scratch / "run");
  }
}

TEST_CASE("a model from a file keeps the order of its classes, whatever that of the data") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"cats", "dogs"}, 5);
  trained(data, scratch / "as_data", with_model(write_model(scratch, R"(["cats", "dogs"])")));
  trained(data, scratch / "turned", with_model(write_model(scratch, R"(["dogs", "cats"])")));
  const nn::Model model = load_model(scratch / "turned/model.safetensors").model;
  CHECK(model.classes == Arguments{"dogs", "cats"});
  for (const char* run_dir : {"as_data", "turned"}) {
    const Outcome outcome =
        run({"evaluate", (scratch / run_dir).string(), data.string(), "--quiet"});
    CHECK_THAT(outcome.out, Contains("of 10)"));
    const Outcome held_out = run({"evaluate", (scratch / run_dir).string(), "--held-out"});
    INFO(held_out.err);
    CHECK(held_out.status == 0);
  }
  write_classes(scratch / "one", {"cats"}, 2);
  write_classes(scratch / "three", {"cats", "dogs", "owls"}, 2);
  const Outcome more = train(scratch / "three", scratch / "run",
                             with_model(write_model(scratch, R"(["dogs", "cats"])")));
  CHECK(more.status == 2);
  CHECK_THAT(more.err, Contains("has a class 'owls' that ") && Contains("own.json lacks"));
}

TEST_CASE("numbers of IDX files get names that the model keeps") {
  const Scratch scratch;
  write_idx(scratch / "idx", "train", labels_in_turn(12, 3));
  const std::string names = scratch.write("names.txt", "cats\r\ndogs\nowls\n\n").string();
  const fs::path idx = scratch / "idx", run_dir = scratch / "run";
  for (const std::string& given : {std::string("cats,dogs,owls"), names}) {
    trained(idx, run_dir,
            {"--model", "mlp:4", "--epochs", "1", "--overwrite", "--class-names", given});
    CHECK(load_model(run_dir / "model.safetensors").model.classes ==
          Arguments{"cats", "dogs", "owls"});
    // Of its own data the run knows how the numbers are called.
    CHECK(run({"evaluate", run_dir.string(), "--held-out"}).status == 0);
    CHECK(run({"evaluate", run_dir.string(), idx.string()}).status == 0);
  }
  write_classes(scratch / "folders", {"owls", "dogs", "cats"}, 3, 8);
  const Outcome both = trained(idx, run_dir,
                               {"--model", "mlp:4", "--epochs", "1", "--overwrite", "--class-names",
                                "cats,dogs,owls", "--validation", (scratch / "folders").string()});
  CHECK_THAT(both.out, Contains("validation  9 images of "));
  // In parts of which one has numbers and the other has names.
  write_classes(scratch / "parts/train", {"0", "1", "2"}, 3, 8);
  write_classes(scratch / "parts/val", {"owls", "dogs", "cats"}, 3, 8);
  trained(scratch / "parts", run_dir,
          {"--model", "mlp:4", "--epochs", "1", "--overwrite", "--class-names", "cats,dogs,owls"});
  const auto refused = [&](const fs::path& data, const Arguments& more, const std::string& why) {
    const Outcome outcome = train(data, scratch / "none", more);
    CHECK(outcome.status != 0);
    CHECK(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains(why));
  };
  refused(idx, {"--class-names", "cats,dogs"}, "none for the class '2'");
  refused(idx, {"--class-names", "cats"}, "neither a file nor names");
  refused(scratch / "folders", {"--class-names", "a,b,c"}, "already has names");
  refused(idx, {"--validation", (scratch / "folders").string()}, "--class-names A,B,...");
}

// `evaluate` brings the classes of a data set and of a model together by name.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "io/idx_files.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Twelve classes as IDX files and as folders "0" to "11".
void write_twelve(const Scratch& scratch) {
  write_idx(scratch / "idx", "train", labels_in_turn(96, 12));
  std::string names;
  for (int i = 0; i < 12; ++i) names += concat(i == 0 ? "" : ",", i);
  REQUIRE(run({"convert", "idx", (scratch / "idx").string(), (scratch / "folders").string(),
               "--names", names, "--quiet"})
              .status == 0);
}

double accuracy(const fs::path& model, const fs::path& data, const Arguments& more = {}) {
  Arguments arguments = {"evaluate", model.string(), data.string(), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return json_of(run(arguments))["accuracy"].get<double>();
}

}  // namespace

TEST_CASE("a model of folders called by numbers gives the same on the same images as IDX files") {
  const Scratch scratch;
  write_twelve(scratch);
  const fs::path idx = scratch / "idx", folders = scratch / "folders";
  const Arguments options = {"--model", "mlp:32", "--epochs", "30", "--learning-rate", "0.01"};
  trained(folders, scratch / "of_folders", options);
  trained(idx, scratch / "of_idx", options);
  for (const char* model : {"of_folders", "of_idx"}) {
    CHECK(accuracy(scratch / model, folders) == 1.0);
    CHECK(accuracy(scratch / model, idx) == 1.0);
  }
  // And in training, either way round.
  for (const auto& [data, other] : {std::pair(folders, idx), std::pair(idx, folders)}) {
    trained(data, scratch / "run",
            {"--model", "mlp:32", "--epochs", "30", "--learning-rate", "0.01", "--overwrite",
             "--validation", other.string()});
    CHECK(column(scratch / "run", "val_accuracy").back() == "1");
  }
}

TEST_CASE("numbers and names are not taken for each other") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  write_idx(scratch / "idx", "train", {1, 0, 1});
  const std::string idx = (scratch / "idx").string();
  check_refused({"evaluate", model, idx}, 1, "--class-names A,B,...");
  // The images are dark, all of them.
  CHECK(accuracy(model, idx, {"--class-names", "dark,light"}) == Approx(1.0 / 3));
  CHECK(accuracy(model, idx, {"--class-names", "light,dark"}) == Approx(2.0 / 3));
  check_refused({"evaluate", model, idx, "--class-names", "dark,grey"}, 1,
                "has a class 'grey' that the model lacks");
  check_refused({"evaluate", model, idx, "--class-names", "dark"}, 2, "neither a file nor names");
  const std::string own = write_classes(scratch / "own", {"dark", "light"}, 1).string();
  check_refused({"evaluate", model, own, "--class-names", "dark,light"}, 2,
                "gives names to classes that are numbers");

  // A model of numbers, and folders with names.
  write_idx(scratch / "train", "train", labels_in_turn(8, 2));
  trained(scratch / "train", scratch / "run", {"--model", "mlp:4", "--epochs", "1"});
  check_refused({"evaluate", (scratch / "run").string(), own}, 1, "--class-names A,B,...");
  const auto result = json_of(
      run({"evaluate", (scratch / "run").string(), own, "--json", "--class-names", "light,dark"}));
  CHECK(result["classes"][0]["name"] == "light");
  CHECK(result["samples"] == 2);
}

TEST_CASE("an evaluation set may lack classes, which is said where averages are") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const fs::path data = write_classes(scratch / "data", {"light"}, 3);
  for (const bool has_folder : {false, true}) {
    if (has_folder) fs::create_directory(data / "dark");
    const Outcome outcome = run({"evaluate", model, data.string()});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK_THAT(outcome.out, Contains("no images of the class 'dark'") &&
                                Contains("1 of 2 have samples; averages are over those\n"));
    const auto result = json_of(run({"evaluate", model, data.string(), "--json"}));
    CHECK(result["measured"]["classes_without_samples"] == nlohmann::json{"dark"});
    CHECK(result["measured"]["trained_on"].is_null());
    CHECK(result["auc"].is_null());
  }
  write_classes(data, {"dark"}, 1);
  const Outcome whole = run({"evaluate", model, data.string()});
  CHECK_THAT(whole.out, !Contains("averages"));
}

TEST_CASE("classes of another order or of names that look alike are told from each other") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const auto refused = [&](const std::vector<std::string>& classes, const std::string& part) {
    fs::remove_all(scratch / "data");
    check_refused({"evaluate", model, write_classes(scratch / "data", classes, 1).string()}, 1,
                  part);
  };
  refused({"Dark", "light"}, "'Dark' and 'dark' there differ in case alone");
  refused({"dark", "lig ht"}, "'lig ht' and 'light' there differ in spaces alone");
  // The model sorts them otherwise than the folders are sorted.
  const fs::path turned = scratch / "turned.safetensors";
  SavedModel saved = load_model(model);
  saved.model.classes = {"light", "dark"};
  save_model(turned, saved.model, saved.parameters);
  write_plain(scratch / "set/dark/1.png", 10);
  write_plain(scratch / "set/light/1.png", 250);
  CHECK(accuracy(model, scratch / "set") == 1.0);
  CHECK(accuracy(turned, scratch / "set") == 0.0);
}

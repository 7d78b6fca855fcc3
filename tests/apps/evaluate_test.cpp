#include "apps/known_model.h"

#include <cmath>
#include <fstream>
#include <sstream>

using namespace millrace;
using namespace millrace::test;

namespace {

/// Dark: 30, 60 and 140 (which the model takes for light); light: 200, 220.
std::filesystem::path write_five(const std::filesystem::path& root) {
  write_plain(root / "dark/a.png", 30);
  write_plain(root / "dark/b.png", 60);
  write_plain(root / "dark/c.png", 140, 32);
  write_plain(root / "light/a.png", 200);
  write_plain(root / "light/b.png", 220, 8);
  return root;
}

}  // namespace

TEST_CASE("evaluate gives the loss and accuracy that arithmetic gives, for any batch size") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = write_five(scratch / "data").string();
  const double loss =
      -(std::log(1 - light_of(30)) + std::log(1 - light_of(60)) + std::log(1 - light_of(140)) +
        std::log(light_of(200)) + std::log(light_of(220))) /
      5;
  for (const char* batch : {"1", "2", "5", "32"}) {
    const auto result =
        json_of(run({"evaluate", model, data, "--json", "--batch", batch, "--threads", "2"}));
    // Float32 sums of 768 pixels: 1e-5 is a hundred roundings.
    CHECK(result["loss"].get<double>() == Approx(loss).epsilon(1e-5));
    CHECK(result["accuracy"] == 0.8);
    CHECK(result["samples"] == 5);
    CHECK(result["left_out"] == 0);
    CHECK(result["images_per_s"] > 0);
  }
}

TEST_CASE("evaluate of a run directory gives what training printed for the last epoch") {
  const Scratch scratch;
  const std::string data = (scratch / "data").string();
  write_classes(scratch / "data/train", {"a", "b", "c"}, 6);
  write_classes(scratch / "data/val", {"a", "b", "c"}, 3);
  const std::string run_dir = (scratch / "run").string();
  REQUIRE(run({"train", data, "--epochs", "2", "--model", "mlp:8", "--run-dir", run_dir}).status ==
          0);
  std::ifstream metrics(scratch / "run/metrics.csv");
  std::vector<std::string> fields;
  for (std::string line; std::getline(metrics, line);) {
    fields.clear();
    std::istringstream in(line);
    for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
  }
  const auto result = json_of(run({"evaluate", run_dir, data, "--json"}));
  CHECK(result["samples"] == 9);
  CHECK(result["loss"].get<double>() == Approx(std::stod(fields.at(3))).epsilon(1e-5));
  CHECK(result["accuracy"].get<double>() == Approx(std::stod(fields.at(4))));
  CHECK(json_of(run({"evaluate", run_dir, data, "--json", "--part", "train"}))["samples"] == 18);
}

TEST_CASE("evaluate prints its result as text, and with --quiet nothing but that") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = write_five(scratch / "data").string();
  const Outcome outcome = run({"evaluate", model, data, "--quiet"});
  CHECK(outcome.status == 0);
  CHECK(outcome.err.empty());
  const std::vector<std::string> lines = Outcome::lines(outcome.out);
  REQUIRE(lines.size() >= 13);
  CHECK(lines[0].rfind("loss", 0) == 0);
  CHECK(lines[1] == "accuracy  0.8000  (4 of 5)");
  CHECK(lines[2] == "samples   5");
  CHECK(holds(lines[3], "images/s on cpu"));
  // Of three dark images the brightest is taken for light; both light ones are recognised, and no
  // dark one is brighter than they are.
  const std::vector<std::string> expected{
      "",
      "class          precision  recall      f1     auc  samples",
      "dark              1.0000  0.6667  0.8000  1.0000        3",
      "light             0.6667  1.0000  0.8000  1.0000        2",
      "mean              0.8333  0.8333  0.8000  1.0000        5",
      "weighted mean     0.8667  0.8000  0.8000  1.0000        5",
      "",
      "confusion: a row a label, a column a prediction",
      "          0  1",
      "0  dark   2  1",
      "1  light  0  2"};
  CHECK(std::vector<std::string>(lines.begin() + 4, lines.end()) == expected);
}

TEST_CASE("evaluate gives the figures of each class as JSON") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = write_five(scratch / "data").string();
  for (const char* batch : {"2", "32"}) {
    const auto result = json_of(run({"evaluate", model, data, "--json", "--batch", batch}));
    CHECK(result["auc"] == 1.0);
    CHECK(result["confusion"] == nlohmann::json({{2, 1}, {0, 2}}));
    REQUIRE(result["classes"].size() == 2);
    CHECK(result["classes"][0]["name"] == "dark");
    CHECK(result["classes"][0]["recall"].get<double>() == Approx(2.0 / 3));
    CHECK(result["classes"][1]["precision"].get<double>() == Approx(2.0 / 3));
    CHECK(result["macro"]["f1"].get<double>() == Approx(0.8));
    CHECK(result["weighted"]["precision"].get<double>() == Approx(1 * 0.6 + 0.4 * 2 / 3));
  }
  const auto without = json_of(run({"evaluate", model, data, "--json", "--no-auc"}));
  CHECK(without["auc"].is_null());
  CHECK(without["macro"]["f1"].get<double>() == Approx(0.8));
}

TEST_CASE("evaluate ends at a bad image, or names it and leaves it out") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = write_five(scratch / "data").string();
  scratch.write("data/dark/broken.png", "no image");
  check_refused({"evaluate", model, data}, 1, "dark/broken.png");
  const Outcome outcome = run({"evaluate", model, data, "--on-bad-image", "skip", "--json"});
  const auto result = json_of(outcome);
  CHECK(result["samples"] == 5);
  CHECK(result["left_out"] == 1);
  CHECK(result["accuracy"] == 0.8);
  CHECK(result["left_out_by_reason"] == nlohmann::json{{"not_decoded", 1}});
  CHECK(Outcome::lines(outcome.err).size() == 2);
  CHECK(holds(outcome.err, "left out: "));
  CHECK(holds(outcome.err, "warning: 1 of 6 images could not be read, 16.7 %\n"));
  CHECK(holds(outcome.err, "dark/broken.png"));
}

TEST_CASE("evaluate takes the named part of a data set") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = (scratch / "data").string();
  write_five(scratch / "data/train");
  write_plain(scratch / "data/test/dark/a.png", 10);
  write_plain(scratch / "data/test/light/a.png", 250);
  CHECK(json_of(run({"evaluate", model, data, "--json"}))["samples"] == 2);
  CHECK(json_of(run({"evaluate", model, data, "--json", "--part", "validation"}))["samples"] == 2);
  CHECK(json_of(run({"evaluate", model, data, "--json", "--part", "train"}))["samples"] == 5);
  const std::string alone = (scratch / "data/train").string();
  check_refused({"evaluate", model, alone, "--part", "validation"}, 1, "no validation part");
}

TEST_CASE("evaluate refuses what does not fit together in one line") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = write_five(scratch / "data").string();
  check_refused({"evaluate"}, 2, "needs MODEL and DATA");
  check_refused({"evaluate", model}, 2, "needs MODEL and DATA");
  check_refused({"evaluate", model, data, data}, 2, "too many arguments");
  check_refused({"evaluate", model, data, "--batch", "0"}, 2, "--batch");
  check_refused({"evaluate", model, data, "--part", "all"}, 2, "--part");
  check_refused({"evaluate", model, data, "--on-bad-image", "warn"}, 2, "--on-bad-image");
  check_refused({"evaluate", model, data, "--memory-budget", "much"}, 2, "much");
  check_refused({"evaluate", "none", data}, 1, "none: no such model file or run directory");
  check_refused({"evaluate", data, data}, 1, "holds no model.safetensors");
  check_refused({"evaluate", data + "/dark/a.png", data}, 1, "dark/a.png");
  check_refused({"evaluate", model, "none"}, 1, "none: ");
  check_refused({"evaluate", model, data, "--device", "gpu"}, 1, "--device gpu: ");
}

TEST_CASE("evaluate names the class that differs") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  write_classes(scratch / "more", {"dark", "grey", "light"}, 1);
  check_refused({"evaluate", model, (scratch / "more").string()}, 1,
                "has a class 'grey' that the model lacks");
  write_classes(scratch / "other", {"dark", "night"}, 1);
  check_refused({"evaluate", model, (scratch / "other").string()}, 1, "lacks the class 'light'");
  scratch.write("table.csv", "0.5,0\n0.25,1\n");
  check_refused({"evaluate", model, (scratch / "table.csv").string()}, 1,
                "holds rows of 1 number, and the model takes images");
}

TEST_CASE("a data set to evaluate may lack images of a class, and says so") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  write_plain(scratch / "data/light/1.png", 200);
  std::filesystem::create_directory(scratch / "data/dark");
  const std::string data = (scratch / "data").string();
  for (const bool has_folder : {true, false}) {
    if (!has_folder) std::filesystem::remove(scratch / "data/dark");
    const Outcome outcome = run({"evaluate", model, data, "--json"});
    CHECK(json_of(outcome)["samples"] == 1);
    CHECK(json_of(outcome)["accuracy"] == 1.0);
    CHECK(outcome.err == "note: " + data + ": no images of the class 'dark'\n");
  }
}

// What `train` leaves behind, that it can be repeated, and what the options of its epochs mean.

#include "apps/train_run.h"

#include <nlohmann/json.hpp>

#include <set>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

const Arguments kTwoEpochs = {"--model", "mlp:8", "--epochs", "2", "--batch", "4"};

nlohmann::json json_file(const fs::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

/// The rows less what the clock says.
std::vector<Row> without_times(std::vector<Row> rows) {
  for (Row& row : rows) {
    CHECK(row.erase("seconds") == 1);
    CHECK(row.erase("images_per_s") == 1);
  }
  return rows;
}

std::set<std::string> names_of(const nlohmann::json& list) {
  std::set<std::string> names;
  for (const auto& entry : list) names.insert(entry.at("name").get<std::string>());
  return names;
}

}  // namespace

TEST_CASE("a run with a recipe leaves its options, metrics, model, report and trace") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path recipe = scratch.write(
      "own.ini", "# three passes\nmodel = mlp:8\nepochs = 3\nbatch = 4\nlearning-rate = 0.01\n");
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, {"--recipe", recipe.string()});

  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(run_dir)) {
    files.insert(entry.path().filename().string());
  }
  CHECK(files == std::set<std::string>{"best.safetensors", "checkpoints", "config.ini", "data.json",
                                       "events", "metrics.csv", "millrace.lock",
                                       "model.safetensors", "report.json", "trace.json"});
  CHECK(column(run_dir, "epoch") == Arguments{"1", "2", "3"});
  CHECK(column(run_dir, "samples") == Arguments{"16", "16", "16"});  // a fifth is for validation
  CHECK(column(run_dir, "learning_rate") == Arguments{"0.01", "0.01", "0.01"});
  const auto report = json_file(run_dir / "report.json");
  const std::set<std::string> stages = names_of(report.at("stages"));
  for (const char* stage : {"list", "decode", "augment", "train", "log"}) {
    INFO(stage);
    CHECK(stages.count(stage) == 1);
    CHECK(names_of(json_file(run_dir / "trace.json").at("traceEvents")).count(stage) == 1);
  }
  CHECK(report.at("stopped") == false);
}

TEST_CASE("the command line wins over the recipe") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 5);
  const fs::path recipe = scratch.write("own.ini", "model = mlp:8\nepochs = 3\n");
  trained(data, scratch / "run", {"--recipe", recipe.string(), "--epochs", "1"});
  CHECK(column(scratch / "run", "epoch") == Arguments{"1"});
}

TEST_CASE("a run's own config.ini repeats it from any folder, to the bit") {
  const std::string name = GENERATE("data", "photos #1 of 2", "a;b = 'c'");
  INFO(name);
  const Scratch scratch;
  write_classes(scratch / name, {"dark", "grey", "light"}, 10);
  const fs::path first = scratch / "first", second = scratch / "second";
  fs::create_directories(scratch / "elsewhere");
  // A path that only means something where the first run started.
  const Outcome original =
      train(name, first, with(kTwoEpochs, {"--flip", "--crop-padding", "2", "--seed", "7"}),
            {.directory = scratch.path()});
  INFO(original.err);
  REQUIRE(original.status == 0);
  const Outcome repeated =
      run({"train", "--recipe", (first / "config.ini").string(), "--run-dir", second.string()},
          {.directory = scratch / "elsewhere"});
  INFO(repeated.err);
  REQUIRE(repeated.status == 0);
  CHECK(read_file(first / "model.safetensors") == read_file(second / "model.safetensors"));
  CHECK(without_times(metrics(first)) == without_times(metrics(second)));
}

TEST_CASE("another seed gives another model") {  // so that equal bytes mean something
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "first", with(kTwoEpochs, {"--seed", "7"}));
  trained(data, scratch / "second", with(kTwoEpochs, {"--seed", "8"}));
  CHECK(read_file(scratch / "first/model.safetensors") !=
        read_file(scratch / "second/model.safetensors"));
}

TEST_CASE("the option --print-plan prints the stages and the sum of memory and writes nothing") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 5);
  fs::create_directories(scratch / "empty");
  const Outcome outcome =
      run({"train", data.string(), "--print-plan"}, {.directory = scratch / "empty"});
  CHECK(outcome.status == 0);
  CHECK(outcome.err.empty());
  for (const char* part : {"\n  list ", "\n  decode ", "\n  augment ", "\n  train ", "\n  log ",
                           "\n  index ", "\n  host batches ", "\n  total "}) {
    CHECK_THAT(outcome.out, Contains(part));
  }
  CHECK(fs::is_empty(scratch / "empty"));
}

TEST_CASE(
    "the option --validation names the samples to validate on, and all of DATA is trained on") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  // Classes the wrong way round: whoever has learned the training data gets all of these wrong.
  for (int i = 0; i < 3; ++i) {
    write_image(scratch / "other/dark" / (std::to_string(i) + ".png"), 220, i);
    write_image(scratch / "other/light" / (std::to_string(i) + ".png"), 20, i);
  }
  const std::string other = (scratch / "other").string();
  const Outcome outcome = trained(data, scratch / "run",
                                  {"--model", "mlp:8", "--epochs", "10", "--batch", "4",
                                   "--learning-rate", "0.01", "--validation", other});
  CHECK_THAT(outcome.out, Contains("6 images of " + other));
  const Row last = metrics(scratch / "run").back();
  CHECK(last.at("samples") == "20");
  CHECK(std::stod(last.at("accuracy")) == 1.0);
  CHECK(std::stod(last.at("val_accuracy")) == 0.0);
}

TEST_CASE("without validation its columns are empty") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 5);
  trained(data, scratch / "run", with(kTwoEpochs, {"--validation-share", "0"}));
  CHECK(column(scratch / "run", "samples") == Arguments{"10", "10"});
  CHECK(column(scratch / "run", "val_loss") == Arguments{"", ""});
}

TEST_CASE("the options of an epoch say how many samples it has") {
  struct Case {
    Arguments options;
    std::string samples;
  };
  const Case c = GENERATE(values<Case>({
      {{}, "10"},                                           // two full batches and the rest
      {{"--limit-batches", "2"}, "8"},                      // full ones only
      {{"--limit-batches", "3"}, "10"},                     // the rest too
      {{"--limit-batches", "9"}, "10"},                     // no more than there are
      {{"--steps-per-epoch", "2"}, "8"},                    // full ones of an endless stream
      {{"--steps-per-epoch", "7"}, "28"},                   // longer than a pass
      {{"--steps-per-epoch=7", "--limit-batches=1"}, "4"},  // the smaller counts
  }));
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 5);
  INFO((c.options.empty() ? "one pass" : c.options.front() + " " + c.options.back()));
  trained(data, scratch / "run", with(kTwoEpochs, with({"--validation-share", "0"}, c.options)));
  CHECK(column(scratch / "run", "samples") == Arguments{c.samples, c.samples});
}

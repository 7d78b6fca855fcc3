// Training that prunes, and the command that prunes at once, as a user runs them.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <millrace/training/saved_model.h>

#include <algorithm>
#include <cmath>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

const std::string kData = "generated:96x6x6x1:2";
const Arguments kSmall = {"--model", "mlp:16", "--epochs", "4", "--batch", "8"};

/// Zeros of a tensor of a saved model; none of them has a sign.
std::ptrdiff_t zeros(const SavedModel& saved, const std::string& name) {
  std::ptrdiff_t count = 0;
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    if (p.name != name) continue;
    const auto begin = saved.parameters.begin() + p.offset;
    count = std::count_if(begin, begin + p.shape.elements(),
                          [](float w) { return w == 0 && !std::signbit(w); });
  }
  return count;
}

}  // namespace

TEST_CASE("a pruned run saves a model with zeros, and tells sparsities and sizes") {
  const Scratch scratch;
  const fs::path run_dir = scratch / "run";
  // 77 training samples of 96: ten steps an epoch.
  const Outcome outcome =
      trained(kData, run_dir,
              with(kSmall, {"--prune", "polynomial", "--prune-final-sparsity", "0.8", "--prune-end",
                            "25", "--prune-frequency", "10"}));
  const SavedModel saved = load_model(run_dir / "model.safetensors");
  CHECK(zeros(saved, "dense1.weight") == 461);  // of 576: 115.2 are kept
  CHECK(zeros(saved, "dense2.weight") == 13);   // of 16: 3.2 are kept
  CHECK_THAT(outcome.out, Contains("pruning     polynomial, sparsity 0 to 0.8 from step 0 to 25"));
  CHECK_THAT(outcome.out, Contains("pruned dense1.weight 0.8003 below"));
  CHECK_THAT(outcome.out, Contains("times smaller"));

  const std::vector<std::string> sparsity = column(run_dir, "dense1.weight/sparsity");
  REQUIRE(sparsity.size() == 4);
  CHECK(std::stod(sparsity[0]) < std::stod(sparsity[1]));
  CHECK(std::stod(sparsity[2]) == Approx(461 / 576.0));
  CHECK(std::stod(column(run_dir, "dense2.weight/threshold").back()) > 0);
  const nlohmann::json report = nlohmann::json::parse(std::ifstream(run_dir / "report.json"));
  const nlohmann::json& pruning = report["pruning"];
  CHECK(pruning["sparsity"].get<double>() == Approx(474 / 592.0));
  CHECK(pruning["pruned"]["bytes"] == fs::file_size(run_dir / "model.safetensors"));
  CHECK(pruning["pruned"]["gzip_bytes"] < pruning["dense"]["gzip_bytes"]);
  CHECK(fs::exists(run_dir / "config.ini"));
  for (const auto& entry : fs::directory_iterator(run_dir)) {
    CHECK(entry.path().filename().string().front() != '.');
  }
}

TEST_CASE("the report counts the zeros of the model that is saved, also of an earlier epoch") {
  const Scratch scratch;
  const fs::path run_dir = scratch / "run";
  trained(kData, run_dir,
          with(kSmall, {"--prune", "polynomial", "--prune-final-sparsity", "0.9",
                        "--prune-frequency", "5", "--restore-best", "--patience", "9", "--monitor",
                        "loss", "--monitor-mode", "max"}));
  const SavedModel saved = load_model(run_dir / "model.safetensors");
  const nlohmann::json report = nlohmann::json::parse(std::ifstream(run_dir / "report.json"));
  CHECK(report["pruning"]["tensors"][0]["pruned"] == zeros(saved, "dense1.weight"));
  // The loss falls, so the first epoch is the best by this measure, and the last has 518 zeros.
  CHECK(zeros(saved, "dense1.weight") < 518);
}

TEST_CASE("pruning that a recipe asks for is turned off by none") {
  const Scratch scratch;
  const std::string recipe =
      scratch.write("pruned.ini", "prune = constant\nprune-final-sparsity = 0.9\n").string();
  const Outcome outcome =
      train(kData, scratch / "run", with(kSmall, {"--recipe", recipe, "--prune", "none"}));
  CHECK(outcome.status == 0);
  CHECK(outcome.err ==
        "note: --prune-final-sparsity has no effect without --prune constant or --prune "
        "polynomial; it is left out\n");
  CHECK(zeros(load_model(scratch / "run/model.safetensors"), "dense1.weight") == 0);
  CHECK(metrics(scratch / "run").front().count("sparsity") == 0);
}

TEST_CASE("with keras-compat a run of fewer steps than the frequency prunes nothing") {
  const Scratch scratch;
  const Arguments constant = with(kSmall, {"--prune", "constant", "--prune-frequency", "100"});
  trained(kData, scratch / "default", constant);
  trained(kData, scratch / "compat", with(constant, {"--keras-compat"}));
  CHECK(zeros(load_model(scratch / "default/model.safetensors"), "dense1.weight") == 288);
  CHECK(zeros(load_model(scratch / "compat/model.safetensors"), "dense1.weight") == 0);
}

TEST_CASE("a pruned run is repeated by its config.ini") {
  const Scratch scratch;
  trained(kData, scratch / "first", with(kSmall, {"--prune", "constant"}));
  const Outcome again = run({"train", "--recipe", (scratch / "first/config.ini").string(),
                             "--run-dir", (scratch / "second").string()});
  INFO(again.err);
  REQUIRE(again.status == 0);
  CHECK(load_model(scratch / "first/model.safetensors").parameters ==
        load_model(scratch / "second/model.safetensors").parameters);
}

TEST_CASE("a pruned run that is stopped and resumed ends as the one that was not") {
  const Scratch scratch;
  const Arguments pruned =
      with(kSmall, {"--prune", "polynomial", "--prune-initial-sparsity", "0.2",
                    "--prune-final-sparsity", "0.7", "--prune-frequency", "7"});
  trained(kData, scratch / "whole", pruned);
  // The end of the schedule is that of the whole run, so the parts say it.
  const Arguments part =
      with({"--model", "mlp:16", "--epochs", "2", "--batch", "8"},
           {"--prune", "polynomial", "--prune-initial-sparsity", "0.2", "--prune-final-sparsity",
            "0.7", "--prune-frequency", "7", "--prune-end", "40"});
  trained(kData, scratch / "parts", part);
  const Outcome resumed = run({"train", "--resume", (scratch / "parts").string(), "--epochs", "4"});
  INFO(resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK(load_model(scratch / "parts/model.safetensors").parameters ==
        load_model(scratch / "whole/model.safetensors").parameters);
  CHECK(column(scratch / "parts", "sparsity") == column(scratch / "whole", "sparsity"));
}

TEST_CASE("pruning that cannot be meant is refused in one line") {
  const Scratch scratch;
  const auto [more, expected] = GENERATE_COPY(table<Arguments, std::string>(
      {{{"--prune", "linear"}, "'linear'; known: constant, polynomial"},
       {{"--prune", "constant", "--prune-final-sparsity", "1"},
        "--prune-final-sparsity must be in [0, 1), not 1"},
       {{"--prune", "polynomial", "--prune-initial-sparsity=-0.1"},
        "--prune-initial-sparsity must be in [0, 1), not -0.1"},
       {{"--prune", "polynomial", "--prune-begin", "20", "--prune-end", "10"},
        "--prune-end 10 comes before --prune-begin 20"},
       {{"--prune", "polynomial", "--prune-begin", "999"},
        "--prune-begin 999: the run ends at step"},
       {{"--prune", "constant", "--prune-frequency", "0"}, "--prune-frequency must be 1 or more"},
       {{"--prune", "constant", "--prune-frequency=-5"}, "--prune-frequency"},
       {{"--prune", "polynomial", "--prune-power", "0"}, "--prune-power must be above 0"},
       {{"--prune", "constant", "--prune-power", "2"}, "--prune polynomial"},
       {{"--prune-end", "10"}, "without --prune"},
       {{"--prune", "constant", "--prune-include", "conv*"},
        "'conv*' matches no kernel that is trained; there are dense1.weight, dense2.weight"},
       {{"--prune", "constant", "--prune-exclude", "dense9"}, "'dense9' matches no kernel"},
       {{"--prune", "constant", "--prune-exclude", "*"}, "no kernel is left"}}));
  const Outcome outcome = train(kData, scratch / "run", with(kSmall, more));
  INFO(outcome.err);
  CHECK(outcome.status == 2);
  CHECK(Outcome::lines(outcome.err).size() == 1);
  CHECK_THAT(outcome.err, Contains(expected));
  CHECK_FALSE(fs::exists(scratch / "run"));
}

TEST_CASE("what pruning will not come to is told before the run") {
  const Scratch scratch;
  // 77 training samples of 96 in batches of 8: ten steps an epoch, forty in all.
  const auto [more, expected] = GENERATE_COPY(table<Arguments, std::string>(
      {{{"--prune", "polynomial", "--prune-final-sparsity", "0.8", "--prune-end", "80",
         "--prune-frequency", "10"},
        "--prune-end 80: the run ends at step 40; the last mask is made at step 40, with a "
        "sparsity of 0.7 in place of 0.8"},
       {{"--prune", "constant", "--prune-end", "80", "--prune-frequency", "30"},
        "--prune-end 80: the run ends at step 40; the last mask is made at step 30, with a "
        "sparsity of 0.5"},
       {{"--prune", "constant", "--keras-compat"}, "a run of 40 steps makes no mask"},
       {{"--prune", "polynomial", "--keras-compat", "--prune-frequency", "15"},
        "--prune-end 40 gets no mask; the last mask is made at step 30"}}));
  const Outcome outcome = trained(kData, scratch / "run", with(kSmall, more));
  const std::vector<std::string> lines = Outcome::lines(outcome.err);
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], Contains("millrace: warning: --prune") && Contains(expected));
  const Arguments enough = with(kSmall, {"--prune", "constant", "--overwrite"});
  CHECK(trained(kData, scratch / "run", enough).err.empty());
}

TEST_CASE("zeros that a run begins with are part of the share that it prunes") {
  const Scratch scratch;
  const std::string data = "generated:96x36:2";
  trained(data, scratch / "first",
          with(kSmall, {"--prune", "constant", "--prune-final-sparsity", "0.8"}));
  trained(data, scratch / "second",
          with(kSmall, {"--weights", (scratch / "first/model.safetensors").string(), "--prune",
                        "constant", "--prune-final-sparsity", "0.5"}));
  CHECK(zeros(load_model(scratch / "first/model.safetensors"), "dense1.weight") == 461);
  CHECK(zeros(load_model(scratch / "second/model.safetensors"), "dense1.weight") >= 288);
  const nlohmann::json report =
      nlohmann::json::parse(std::ifstream(scratch / "second/report.json"));
  CHECK(report["pruning"]["tensors"][0]["pruned"] ==
        zeros(load_model(scratch / "second/model.safetensors"), "dense1.weight"));
  CHECK(std::stod(column(scratch / "second", "dense1.weight/sparsity").back()) == 0.5);
}

TEST_CASE("generated samples need no files, and a wrong word for them is one line") {
  const Scratch scratch;
  const Outcome outcome = train("generated:96x6x6", scratch / "run", {});
  CHECK(outcome.status == 2);
  CHECK(Outcome::lines(outcome.err).size() == 1);
  CHECK_THAT(outcome.err, Contains("generated:1000x28x28x1:2"));
  trained("generated:60x5:3", scratch / "rows", {"--epochs", "1"});
  const Outcome sized = train(kData, scratch / "sized", {"--size", "8", "--epochs", "1"});
  CHECK(sized.status == 1);
  CHECK_THAT(sized.err, Contains("leave --size and --channels out"));
}

TEST_CASE("prune-mlp.ini learns the generated samples with a fifth of the weights") {
  const Scratch scratch;
  const Outcome outcome =
      run({"train", "--recipe", std::string(MILLRACE_RECIPES) + "/prune-mlp.ini", "--run-dir",
           (scratch / "run").string(), "--threads", "2", "--compute-threads", "1"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(std::stod(column(scratch / "run", "val_accuracy").back()) > 0.9);  // 0.96 was measured
  CHECK(std::stod(column(scratch / "run", "sparsity").back()) == Approx(0.8).margin(1e-4));
}

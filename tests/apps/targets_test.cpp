// Tables with targets through the program: numbers and several labels, trained, measured, predicted
// and looked at.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <cmath>
#include <cstdlib>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Rows of "a,b,sum,more,less": numbers, and two labels. Every fifth row has no value in column
/// `gaps`.
std::string rows(int count, std::string_view gaps) {
  std::string text = "a,b,sum,more,less\n";
  for (int i = 0; i < count; ++i) {
    const int a = i * 7 % 10, b = i * 3 % 8;
    const bool has_gap = i % 5 == 4;
    text += concat(a, ',', b, ',', has_gap && gaps == "sum" ? "" : std::to_string(a + b), ',',
                   a > b ? 1 : 0, ',',
                   has_gap && gaps == "less" ? "NA"
                   : a < b                   ? "1"
                                             : "0",
                   '\n');
  }
  return text;
}

const Arguments kSteps = {"--model", "mlp:16", "--epochs", "3", "--batch", "8"};

/// A model of the columns a and b whose targets are p = a + 2 b and q = a - b - 0.5.
fs::path save_sums(const fs::path& path) {
  nn::Model model = nn::ModelBuilder("sums", {2}).dense(2).preprocessing({.scale = 1}).build();
  model.targets = {"p", "q"};
  model.table = {.columns = {"a", "b"}, .target_columns = {3, 4}};
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  for (const nn::Parameter& parameter : nn::parameters(model)) {
    const std::vector<float> own = parameter.role == nn::Role::kernel
                                       ? std::vector<float>{1, 2, 1, -1}
                                       : std::vector<float>{0, -0.5F};
    std::copy(own.begin(), own.end(), values.begin() + parameter.offset);
  }
  save_model(path, model, values);
  return path;
}

}  // namespace

TEST_CASE("train with --targets tells of errors and not of accuracy") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows(80, "sum"));
  const Outcome outcome = trained(data, scratch / "run",
                                  with(kSteps, {"--targets", "sum,more", "--monitor", "val_r2"}));
  CHECK_THAT(outcome.out, Contains("80 rows with 2 targets: sum, more"));
  CHECK_THAT(outcome.out, Contains("16 of them (20 %, chosen by seed 1)"));
  CHECK_THAT(outcome.out, Contains("metrics     mae, r2 (watched by --monitor)"));
  CHECK_THAT(outcome.out, Contains("\nloss        mean_squared_error\n"));
  CHECK_THAT(outcome.out, Contains("val_mae ") && Contains("val_r2 ") && !Contains("accuracy"));
  for (const Row& row : metrics(scratch / "run")) {
    CHECK(row.at("accuracy").empty());
    CHECK(row.at("val_accuracy").empty());
    CHECK(std::isfinite(std::stod(row.at("val_loss"))));
    CHECK(std::isfinite(std::stod(row.at("val_r2"))));
  }
  const nn::Model model = load_model(scratch / "run/model.safetensors").model;
  CHECK(model.targets == std::vector<std::string>{"sum", "more"});
  CHECK(model.table.columns == std::vector<std::string>{"a", "b", "less"});
}

TEST_CASE("train with --targets of zeros and ones learns several labels") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows(200, "less"));
  const Outcome outcome =
      trained(data, scratch / "run",
              {"--targets", "more,less", "--model", "mlp:16", "--epochs", "40", "--batch", "16",
               "--learning-rate", "0.02", "--metrics", "binary_accuracy,auc,auc less"});
  CHECK_THAT(outcome.out, Contains("val_binary_accuracy ") && Contains("val_auc less "));
  CHECK(std::stod(column(scratch / "run", "val_binary_accuracy").back()) > 0.9);

  const auto held_out =
      json_of(run({"evaluate", (scratch / "run").string(), "--held-out", "--json"}));
  CHECK(held_out["binary_accuracy"].get<double>() ==
        Approx(std::stod(column(scratch / "run", "val_binary_accuracy").back())));
  CHECK(held_out["loss"].get<double>() ==
        Approx(std::stod(column(scratch / "run", "val_loss").back())).epsilon(1e-6));
  CHECK_FALSE(held_out.contains("accuracy"));
  CHECK_FALSE(held_out.contains("confusion"));
}

TEST_CASE("evaluate measures each target by its name, over the rows in which it is known") {
  const Scratch scratch;
  const auto model = save_sums(scratch / "m.safetensors").string();
  // p is missed by 0, 1 and -2; q by 0 and 3, and is once unknown.
  const auto data = scratch.write("t.csv", "q,b,a,p\n0.5,1,2,4\n,2,1,4\n-1.5,0,2,4\n").string();
  const auto result = json_of(run({"evaluate", model, data, "--json"}));
  CHECK(result["samples"] == 3);
  REQUIRE(result["targets"].size() == 2);
  const auto& p = result["targets"][0];
  CHECK(p["name"] == "p");
  CHECK(p["known"] == 3);
  CHECK(p["mse"].get<double>() == Approx(5.0 / 3));
  CHECK(p["mae"].get<double>() == Approx(1));
  CHECK(p["r2"] == 0);  // the target is constant
  const auto& q = result["targets"][1];
  CHECK(q["known"] == 2);
  CHECK(q["mse"].get<double>() == Approx(4.5));
  CHECK(result["mse"].get<double>() == Approx((5.0 / 3 + 4.5) / 2));
  CHECK(result["loss"].get<double>() == Approx((5.0 + 9) / 6));  // unknown ones add 0

  const Outcome text = run({"evaluate", model, data});
  CHECK(text.status == 0);
  CHECK_THAT(text.out, Contains("(mean squared error); 1 unknown value adds 0 to it\n") &&
                           !Contains("accuracy"));
  CHECK_THAT(text.out, Contains("target") && Contains("known") && Contains("mean "));
  const auto other = scratch.write("o.csv", "a,b,P,Q\n2,1,4,0.5\n").string();
  CHECK(json_of(run({"evaluate", model, other, "--targets", "P,Q", "--json"}))["loss"] == 0);
  check_refused({"evaluate", model, other}, 1,
                "has no column 'p', which is a target (there is 'P')");
  check_refused({"evaluate", model, other, "--targets", "P"}, 1, "its targets are P, those of");
}

TEST_CASE("predict prints the outputs by the names of the targets") {
  const Scratch scratch;
  const auto model = save_sums(scratch / "m.safetensors").string();
  const std::string file = scratch.write("t.csv", "b,a\n1,2\n0.25,1000000\n").string();
  const Outcome text = run({"predict", model, file});
  CHECK(text.err.empty());
  CHECK(text.out == file + " #0\tp\t4\tq\t0.5\n" + file + " #1\tp\t1000000.5\tq\t999999.25\n");
  const Outcome json = run({"predict", model, file, "--json"});
  const auto line = nlohmann::json::parse(Outcome::lines(json.out).at(0));
  CHECK(line["path"] == file);
  CHECK(line["row"] == 0);
  CHECK(line["targets"]["p"] == 4);
  CHECK(line["targets"]["q"] == 0.5);
  CHECK_FALSE(line.contains("classes"));
  // Targets that stand in the table are not looked at.
  const std::string full = scratch.write("f.csv", "a,b,p,q\n2,1,?,x\n").string();
  CHECK(run({"predict", model, full}).out == full + " #0\tp\t4\tq\t0.5\n");
  check_refused({"predict", model, file, "--top", "2"}, 2, "--top is for classes, and");
}

TEST_CASE("inspect tells width, range and unknown share of targets") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", "a,p,b,q\n1,2,3,4\n1,,3,8\n1,NA,3,\n1,6,3,0\n").string();
  const Outcome text = run({"inspect", "data", data, "--targets", "q,p"});
  CHECK(text.status == 0);
  CHECK_THAT(text.out, Contains("4 rows; 2 targets") && Contains("25.0 %") && Contains("50.0 %"));
  CHECK_THAT(text.out, Contains("targets   columns 4 2\nfeatures  a, b\n"));
  const auto part =
      json_of(run({"inspect", "data", data, "--targets", "q,p", "--json"}))["parts"][0];
  CHECK(part["classes"].empty());
  CHECK(part["target_columns"] == nlohmann::json({4, 2}));
  CHECK(part["targets"][0] == nlohmann::json({{"name", "q"},
                                              {"known", 3},
                                              {"min", 0.0},
                                              {"mean", 4.0},
                                              {"max", 8.0},
                                              {"unknown_share", 0.25}}));
  const auto model = save_sums(scratch / "m.safetensors").string();
  CHECK_THAT(run({"inspect", "model", model}).out,
             Contains("2 targets: p, q") && Contains("targets   columns 3 4"));
}

TEST_CASE("what has no targets is refused where --targets is said, and a model that has some too") {
  const Scratch scratch;
  const auto model = save_sums(scratch / "m.safetensors").string();
  const auto data = scratch.write("t.csv", rows(20, "sum"));
  check_refused(
      {"train", data.string(), "--targets", "cost", "--run-dir", (scratch / "r").string()}, 1,
      "has no column 'cost' for --targets");
  check_refused({"train", data.string(), "--targets", "sum", "--label-column", "more", "--run-dir",
                 (scratch / "r").string()},
                2, "--label-column");
  const auto classes = scratch.write("c.csv", "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n").string();
  check_refused({"train", classes, "--model", model, "--run-dir", (scratch / "r").string()}, 2,
                "the model gives targets, p, q, and the data have classes");
  check_refused(
      {"train", data.string(), "--targets", "sum", "--model", model, "--run-dir",
       (scratch / "r").string()},
      2,
      "the model's input is 2, the samples are 4; give it a table with as many columns of "
      "features");
  check_refused(
      {"train", "generated:100x4x4x1:2", "--targets", "a", "--run-dir", (scratch / "r").string()},
      2, "--targets is for tables");
  const auto difference = save_difference(scratch / "d.safetensors", {.columns = {"a", "b"}});
  check_refused({"evaluate", difference.string(), data.string(), "--targets", "sum"}, 1,
                "gives classes");
  CHECK_FALSE(fs::exists(scratch / "r"));
}

TEST_CASE("the steps of a model with targets are timed like others") {
  const Scratch scratch;
  const auto model = save_sums(scratch / "m.safetensors").string();
  const auto result = json_of(run({"bench", "compute", model, "--batch", "4", "--steps", "2",
                                   "--repeats", "1", "--warmup", "0", "--json", "-"}));
  CHECK(result["devices"][0]["batches"][0]["train_ms"]["median"] > 0);
  const Outcome beside = run({"inspect", model, "--against", model, "--batch", "4"});
  INFO(beside.err);
  CHECK(beside.status == 0);
  CHECK_THAT(beside.out, Contains("training step ms at batch 4"));
  const auto data = scratch.write("t.csv", rows(40, "sum")).string();
  const auto trained = json_of(run({"bench", "train", data, "--targets", "sum,less", "--model",
                                    "mlp:4", "--batch", "8", "--repeats", "1", "--json", "-"}));
  CHECK(trained["devices"][0]["batches"][0]["steps"] == 5);
}

TEST_CASE("a run with unknown targets goes on to the bits of the run that did not stop") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", rows(60, "sum"));
  const Arguments more{"--targets", "sum,less", "--model", "mlp:8", "--batch", "8"};
  (void)trained(data, scratch / "whole", with(more, {"--epochs", "4"}));
  (void)trained(data, scratch / "run", with(more, {"--epochs", "2"}));
  const Outcome on = run({"train", "--resume", (scratch / "run").string(), "--epochs", "4"});
  INFO(on.err);
  CHECK(on.status == 0);
  CHECK(figures(scratch / "run") == figures(scratch / "whole"));
  check_refused({"train", "--resume", (scratch / "run").string(), "--targets", "sum,more"}, 1,
                "the run was started with --targets sum,less");
}

// --replay: a few batches are loaded once and fed over and over.

#include "apps/train_failure.h"
#include "apps/train_run.h"

#include <millrace/io/files.h>

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

nlohmann::json report_of(const fs::path& run_dir) {
  std::ifstream file(run_dir / "report.json");
  return nlohmann::json::parse(file);
}

Arguments words(const std::string& epochs, const Arguments& more) {
  Arguments all = {"--model", "mlp:8",    "--size", "16",          "--batch",
                   "4",       "--epochs", epochs,   "--no-shuffle"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::uint64_t items_of(const nlohmann::json& report, const std::string& stage) {
  for (const auto& entry : report.at("stages")) {
    if (entry.at("name") == stage) return entry.at("items").get<std::uint64_t>();
  }
  return 0;
}

/// Rows of numbers, of which the first eight are a data set of their own.
std::string rows(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += concat("0.", (i * 37) % 90 + 10, ",0.", (i * 53) % 80 + 10, ',', i % 2, '\n');
  }
  return text;
}

}  // namespace

TEST_CASE("a replayed run has its epochs' steps, reads each batch once and says so") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  const Outcome outcome = trained(data, run_dir, words("3", {"--replay", "2"}));
  CHECK_THAT(outcome.out, Contains("replay      the first 2 batches") &&
                              Contains("validation  none, since the input is replayed"));
  CHECK(column(run_dir, "samples") == Arguments{"20", "20", "20"});  // 5 steps of 4
  CHECK(column(run_dir, "val_loss") == Arguments{"", "", ""});
  const nlohmann::json report = report_of(run_dir);
  CHECK(items_of(report, "train") == 15);
  CHECK(items_of(report, "replay") == 15);
  CHECK(items_of(report, "decode") == 0);
  REQUIRE(report.at("remarks").size() == 1);
  CHECK_THAT(report.at("remarks")[0].get<std::string>(),
             Contains("input replayed: the first 2 batches were loaded once"));
}

TEST_CASE("a replayed run ends with the weights of a run over just those samples") {
  const Scratch scratch;
  // 40 rows, 10 batches: 2 epochs of 10 steps are 10 passes through the first 8 rows.
  scratch.write("long/train.csv", rows(40));
  scratch.write("short/train.csv", rows(8));
  trained(scratch / "long", scratch / "replayed", words("2", {"--replay", "2"}));
  trained(scratch / "short", scratch / "read", words("10", {"--validation-share", "0"}));
  const auto replayed = read_file((scratch / "replayed" / "model.safetensors").string());
  CHECK(replayed == read_file((scratch / "read" / "model.safetensors").string()));
}

TEST_CASE("a replayed run that is stopped and gone on with ends like the whole one") {
  const Scratch scratch;
  scratch.write("data/train.csv", rows(40));
  const Arguments more = {"--replay", "3"};
  trained(scratch / "data", scratch / "whole", words("4", more));
  trained(scratch / "data", scratch / "parts", words("2", more));
  const Outcome rest = run({"train", "--resume", (scratch / "parts").string(), "--epochs", "4"});
  INFO(rest.err);
  REQUIRE(rest.status == 0);
  CHECK(read_file((scratch / "parts" / "model.safetensors").string()) ==
        read_file((scratch / "whole" / "model.safetensors").string()));
  const Outcome other =
      run({"train", "--resume", (scratch / "parts").string(), "--epochs", "5", "--replay", "2"});
  CHECK(other.status == 1);
  CHECK_THAT(other.err, Contains("--replay 3, not 2"));
}

TEST_CASE("replaying is refused beside --validation and for more batches than an epoch has") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const Outcome both =
      train(data, scratch / "run", words("1", {"--replay", "2", "--validation", data.string()}));
  CHECK(both.status == 2);
  check_one_line(both);
  CHECK_THAT(both.err, Contains("--replay") && Contains("--validation"));
  const Outcome many = train(data, scratch / "run", words("1", {"--replay", "6"}));
  CHECK(many.status == 2);
  check_one_line(many);
  CHECK_THAT(many.err, Contains("--replay 6: an epoch has 5 batches"));
}

TEST_CASE("kept batches are part of the plan, and a run that they do not fit in is refused") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const Outcome plan = train(data, scratch / "run", words("1", {"--replay", "5", "--print-plan"}));
  REQUIRE(plan.status == 0);
  CHECK_THAT(plan.out, Contains("kept batches") && Contains("5 x"));
  const fs::path run_dir = scratch / "small";
  const Outcome small =
      run({"train", data.string(), "--run-dir", run_dir.string(), "--model", "mlp:8", "--size",
           "150", "--batch", "4", "--replay", "5", "--memory-budget", "1MiB"});
  CHECK(small.status == 1);
  CHECK_THAT(small.err, Contains("kept batches"));
  CHECK_FALSE(fs::exists(run_dir));
}

TEST_CASE("bench train --replay measures training without reading, and says so") {
  const Outcome outcome =
      run({"bench", "train", "--model", "mlp:8", "--samples", "64", "--batch", "8", "--replay", "2",
           "--repeats", "2", "--warmup", "1", "--threads", "2", "--json", "-"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const auto result = nlohmann::json::parse(outcome.out);
  CHECK(result["replay"] == 2);
  const auto& report = result["devices"][0]["batches"][0]["report"];
  CHECK(items_of(report, "train") == 8);
  CHECK(items_of(report, "replay") == 8);
  CHECK_THAT(report["remarks"][0].get<std::string>(), Contains("input replayed"));
}

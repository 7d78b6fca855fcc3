// What --monitor watches is measured, and is a figure that there is.

#include "apps/train_run.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

constexpr const char* kData = "generated:48x8x8x1:3";

}  // namespace

TEST_CASE("a measure that is watched is measured, and the run says so") {
  const Scratch scratch;
  const auto run_dir = scratch / "run";
  const Outcome outcome =
      train(kData, run_dir,
            quick_steps(2, {"--monitor", "val_auc", "--patience", "3", "--metrics", "f1"}));
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("metrics     f1, auc (watched by --monitor)\n"));
  CHECK(column(run_dir, "val_auc").size() == 2);
  CHECK_THAT(test::text_of(run_dir / "config.ini"), Contains("metrics = f1,auc\n"));
  CHECK(run({"train", "--resume", run_dir.string(), "--epochs", "3", "--monitor", "val_precision"})
            .status == 0);
  CHECK(column(run_dir, "val_precision").back() != "");
}

TEST_CASE("a figure that there is not is refused before anything is trained") {
  const auto [name, why] = GENERATE(table<std::string, std::string>(
      {{"val_fame", "--monitor val_fame: unknown metric 'fame'"},
       {"val_top9", "--monitor val_top9: metric 'top9': there are 3 classes"},
       {"auc", "--monitor auc: unknown figure; known: loss, accuracy, learning_rate"},
       {"val_", "--monitor val_: unknown metric ''"}}));
  const Scratch scratch;
  const Outcome outcome =
      train(kData, scratch / "run", quick_steps(1, {"--patience", "3", "--monitor", name}));
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err, Contains("millrace: train: " + why));
  CHECK_FALSE(std::filesystem::exists(scratch / "run"));
}

TEST_CASE("measures of classes are not watched where there are none") {
  const Scratch scratch;
  const Outcome outcome =
      train(kData, scratch / "run",
            {"--model", "mlp:4", "--class-mode", "input", "--monitor", "val_auc"});
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err, Contains("--monitor val_auc: --class-mode input has no classes"));
}

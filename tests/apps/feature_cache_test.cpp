// Frozen layers that are computed once, as a user sees it.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "apps/weights_of_runs.h"

#include <filesystem>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// Two classes of ten images, of which four are held out.
struct Photos {
  explicit Photos(const Scratch& scratch)
      : weights(first_run(scratch)),
        data(write_classes(scratch / "two", {"dark", "light"}, 10, 20)) {}

  [[nodiscard]] Arguments frozen(int epochs, const Arguments& more = {}) const {
    return with({"--weights", weights.string(), "--head", "gap,dense:8:relu,dense", "--freeze",
                 "conv", "--batch", "3", "--epochs", std::to_string(epochs)},
                more);
  }

  fs::path weights, data;
};

}  // namespace

TEST_CASE("the plan and the log of a run say that its frozen layers are computed once") {
  const Scratch scratch;
  const Photos photos(scratch);
  const std::string line =
      "features    'head.global_avg_pool1' and all before it are computed once: 20 samples, 6 "
      "numbers each in fp32, 480 B in memory";
  const Outcome plan = trained(photos.data, scratch / "plan", photos.frozen(3, {"--print-plan"}));
  CHECK_THAT(plan.out, Contains(line) && !Contains("decode"));
  const Outcome outcome = trained(photos.data, scratch / "run", photos.frozen(3));
  CHECK_THAT(outcome.out, Contains(line));
  CHECK_THAT(outcome.out,
             Contains("features    20 samples, 6 numbers each in fp32, 480 B in memory"));
  CHECK_THAT(text_of(scratch / "run/report.json"),
             Contains("frozen layers were computed once, before the first step"));
  CHECK_THAT(text_of(scratch / "run/config.ini"), Contains("cache-features = auto"));
  CHECK_FALSE(fs::exists(scratch / "run/features.safetensors"));

  const Outcome plain =
      trained(photos.data, scratch / "plain", photos.frozen(3, {"--cache-features", "no"}));
  CHECK_THAT(plain.out, !Contains("features   "));
  const std::vector<Row> kept = metrics(scratch / "run"), computed = metrics(scratch / "plain");
  REQUIRE(kept.size() == 3);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    for (const char* name : {"loss", "val_loss"}) {
      CHECK(std::stod(kept[i].at(name)) == Approx(std::stod(computed[i].at(name))).epsilon(1e-5));
    }
    CHECK(kept[i].at("val_accuracy") == computed[i].at("val_accuracy"));
  }
  // The model is a whole one.
  const fs::path model = scratch / "run/model.safetensors";
  CHECK(tensor(model, "conv1.weight") == tensor(photos.weights, "conv1.weight"));
  CHECK(run({"evaluate", model.string(), photos.data.string()}).status == 0);
}

TEST_CASE("a run with augmentation says how its frozen layers can be computed once all the same") {
  const Scratch scratch;
  const Photos photos(scratch);
  const Outcome anew = trained(photos.data, scratch / "anew", photos.frozen(2, {"--flip"}));
  CHECK_THAT(anew.out, Contains("features    frozen layers are computed in each step: images are "
                                "augmented again in each epoch; --views N draws"));
  const Outcome views =
      trained(photos.data, scratch / "views", photos.frozen(3, {"--flip", "--views", "2"}));
  CHECK_THAT(views.out, Contains("20 samples in 2 views"));
  trained(photos.data, scratch / "file",
          photos.frozen(3, {"--flip", "--views", "2", "--cache-features", "file"}));
  CHECK(figures(scratch / "file") == figures(scratch / "views"));
  check_refused(
      {"train", photos.data.string(), "--run-dir", (scratch / "x").string(), "--views", "2"}, 2,
      "--views has no effect without augmentation");
}

TEST_CASE("a run killed while it trains on kept features ends as the one that was not") {
  const Scratch scratch;
  const Photos photos(scratch);
  const std::string where = GENERATE("memory", "file");
  const Arguments options =
      photos.frozen(12, {"--cache-features", where, "--checkpoint-every", "2"});
  trained(photos.data, scratch / "whole", options);
  const fs::path cut = scratch / "run";
  RunOptions killed;
  killed.kill_at = "epoch 2";
  killed.kill_after_us = 1;
  const Outcome outcome = train(photos.data, cut, options, killed);
  INFO(outcome.out << outcome.err);
  REQUIRE(fs::exists(cut / "checkpoints"));
  const Outcome resumed = run({"train", "--resume", cut.string()});
  INFO(resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK(read_file(cut / "model.safetensors") == read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(cut) == figures(scratch / "whole"));
}

TEST_CASE("a file of features is used by a resumed run, unless an image changed") {
  const Scratch scratch;
  const Photos photos(scratch);
  trained(photos.data, scratch / "run", photos.frozen(2, {"--cache-features", "file"}));
  const fs::path file = scratch / "run/features.safetensors";
  REQUIRE(fs::exists(file));
  const auto resumed = [&](const char* epochs) {
    const Outcome outcome =
        run({"train", "--resume", (scratch / "run").string(), "--epochs", epochs});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  CHECK_THAT(resumed("3"), Contains("features    as they were computed before: 20 samples"));
  write_image(photos.data / "dark/2.png", 90, 1, 20);
  CHECK_THAT(resumed("4"), Contains("is of other data, so computed again: 20 samples"));
  CHECK_THAT(resumed("5"), Contains("features    as they were computed before"));
  // A new run in its place begins without it.
  trained(photos.data, scratch / "run", photos.frozen(2, {"--overwrite"}));
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("a cache without frozen layers is refused in one line") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "d", {"a", "b"}, 3, 20).string();
  const std::string folder = (scratch / "run").string();
  check_refused({"train", data, "--run-dir", folder, "--cache-features", "memory"}, 2,
                "--cache-features has no effect without frozen layers; give --freeze PREFIX");
  check_refused({"train", data, "--run-dir", folder, "--cache-features", "disk"}, 2,
                "--cache-features must be auto, no, memory or file, not 'disk'");
  check_refused(
      {"train", data, "--run-dir", folder, "--cache-features", "no", "--cache-precision", "fp16"},
      2, "--cache-precision has no effect without --cache-features");
  CHECK_FALSE(fs::exists(folder));
}

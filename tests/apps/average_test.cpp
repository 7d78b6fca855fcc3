// train --ema: averages of the weights are validated and saved, and runs with them go on to the
// same bit.

#include "apps/train_run.h"

#include <millrace/core/random.h>
#include <millrace/nn/model_json.h>

#include <nlohmann/json.hpp>

#include <signal.h>
#include <algorithm>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// All that averages meet: dropout, batch norm, groups of batches, pruning, early stopping.
Arguments everything(const Scratch& scratch, const Arguments& more) {
  const nn::Model model = nn::ModelBuilder("net", {16, 16, 3})
                              .conv(4)
                              .batch_norm()
                              .relu()
                              .max_pool()
                              .flatten()
                              .dropout(0.4F)
                              .dense(3)
                              .softmax()
                              .build();
  const fs::path file = scratch.write("net.json", nn::to_json(model));
  return with({"--model", file.string(), "--epochs", "10", "--batch", "4", "--flip", "--ema", "0.9",
               "--metrics", "f1", "--patience", "9", "--restore-best", "--checkpoint-every", "3",
               "--learning-rate", "0.003"},
              more);
}

double evaluated(const fs::path& model, const fs::path& data) {
  const Outcome outcome =
      run({"evaluate", model.string(), data.string(), "--json", "--batch", "4", "--threads", "2"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return nlohmann::json::parse(outcome.out)["loss"];
}

}  // namespace

TEST_CASE("the model that is saved is the one that was validated, and not that of a run without") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path other = write_classes(scratch / "other", {"dark", "light"}, 6);
  const Arguments options = quick_steps(3, {"--validation", other.string(), "--size", "16"});
  trained(data, scratch / "plain", options);
  const Outcome outcome = trained(data, scratch / "run", with(options, {"--ema", "0.9"}));
  CHECK_THAT(outcome.out, Contains("average of the weights by 0.9"));
  CHECK(column(scratch / "run", "loss") == column(scratch / "plain", "loss"));
  const Arguments losses = column(scratch / "run", "val_loss");
  CHECK(losses != column(scratch / "plain", "val_loss"));
  CHECK(evaluated(scratch / "run/model.safetensors", other) ==
        Approx(std::stod(losses.back())).epsilon(1e-5));
  double best = std::stod(losses.front());
  for (const std::string& loss : losses) best = std::min(best, std::stod(loss));
  CHECK(evaluated(scratch / "run/best.safetensors", other) == Approx(best).epsilon(1e-5));

  trained(data, scratch / "light", with(options, {"--ema", "0.9", "--no-checkpoints"}));
  for (const char* file : {"model.safetensors", "best.safetensors"}) {
    CHECK(read_file(scratch / "light" / file) == read_file(scratch / "run" / file));
  }
  const Outcome again = run({"train", "--recipe", (scratch / "run/config.ini").string(),
                             "--run-dir", (scratch / "again").string()});
  REQUIRE(again.status == 0);
  CHECK(read_file(scratch / "again/model.safetensors") ==
        read_file(scratch / "run/model.safetensors"));
}

TEST_CASE("a run with averages that is stopped and killed ends as the one that was not") {
  const Arguments more = GENERATE(Arguments{"--accumulate", "3"},
                                  Arguments{"--prune", "polynomial", "--prune-final-sparsity",
                                            "0.7", "--prune-frequency", "7"});
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 30);
  const Arguments options = everything(scratch, more);
  trained(data, scratch / "whole", options);
  Random random(29, 0, 0, Purpose::user);
  const fs::path run_dir = scratch / "run";
  int ends = 0;
  for (bool has_ended = false; !has_ended;) {
    RunOptions how;
    if (ends < 8 && ends % 2 == 0) {
      how = {.kill_after_us = 1 + static_cast<std::int64_t>(random.below(100'000)),
             .kill_at = "epoch "};
    } else if (ends < 8) {
      how = {.signal = SIGINT, .signal_at = "epoch "};
    }
    const bool goes_on =
        fs::exists(run_dir / "checkpoints") &&
        std::ranges::any_of(fs::directory_iterator(run_dir / "checkpoints"),
                            [](const auto& entry) { return entry.path().extension() == ".ckpt"; });
    const Outcome outcome = goes_on ? run({"train", "--resume", run_dir.string()}, how)
                                    : train(data, run_dir, with(options, {"--overwrite"}), how);
    INFO(outcome.err);
    has_ended = outcome.status == 0;
    if (has_ended) break;
    REQUIRE(outcome.status > 128);
    ++ends;
  }
  CHECK(ends >= 1);
  for (const char* file : {"model.safetensors", "best.safetensors"}) {
    CHECK(read_file(run_dir / file) == read_file(scratch / "whole" / file));
  }
  CHECK(figures(run_dir) == figures(scratch / "whole"));
}

TEST_CASE("models that a kill has cost are written again, of the averages") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(3, {"--ema", "0.9"}));
  const auto model = read_file(run_dir / "model.safetensors");
  const auto best = read_file(run_dir / "best.safetensors");
  for (const char* file : {"model.safetensors", "best.safetensors"}) fs::remove(run_dir / file);
  REQUIRE(run({"train", "--resume", run_dir.string()}).status == 0);
  CHECK(read_file(run_dir / "model.safetensors") == model);
  CHECK(read_file(run_dir / "best.safetensors") == best);
}

TEST_CASE("an average with layers that are unfrozen goes on to the same bit") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 10);
  const Arguments cnn = {"--model", "cnn:4:8", "--batch", "4", "--learning-rate", "0.01"};
  trained(data, scratch / "first", with(cnn, {"--epochs", "1"}));
  const Arguments options = with(cnn, {"--weights", (scratch / "first/model.safetensors").string(),
                                       "--freeze", "conv", "--unfreeze-at", "3", "--ema", "0.9"});
  trained(data, scratch / "parts", with(options, {"--epochs", "2"}));
  trained(data, scratch / "whole", with(options, {"--epochs", "4"}));
  for (const std::string epochs : {"3", "4"}) {
    REQUIRE(run({"train", "--resume", (scratch / "parts").string(), "--epochs", epochs}).status ==
            0);
  }
  for (const char* file : {"model.safetensors", "best.safetensors"}) {
    CHECK(read_file(scratch / "parts" / file) == read_file(scratch / "whole" / file));
  }
}

TEST_CASE("an average that cannot be meant, or is another than the run's, is refused in one line") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  for (const char* momentum : {"0", "1", "-0.5", "1.5", "nan", "much"}) {
    const Outcome outcome = train(data, scratch / "none", quick_steps(1, {"--ema", momentum}));
    INFO(momentum);
    CHECK(outcome.status == 2);
    CHECK(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains("--ema"));
  }
  trained(data, scratch / "with", quick_steps(1, {"--ema", "0.9"}));
  trained(data, scratch / "without", quick_steps(1));
  const auto refused = [&](const char* name, const char* momentum, const std::string& why) {
    const Outcome outcome =
        run({"train", "--resume", (scratch / name).string(), "--epochs", "2", "--ema", momentum});
    CHECK(outcome.status == 1);
    CHECK(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains(why));
  };
  refused("with", "0.99", "started with --ema 0.9, not 0.99");
  refused("without", "0.9", "started without an average of its weights");
}

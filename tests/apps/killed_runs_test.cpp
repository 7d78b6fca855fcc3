// Runs that are killed or stopped at any moment, and end as the one that was not.

#include "apps/train_run.h"

#include <millrace/core/random.h>
#include <millrace/core/shell_text.h>
#include <millrace/nn/model_json.h>

#include <signal.h>
#include <algorithm>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// All that random numbers or state can touch: augmentation, dropout, pruning, early stopping.
Arguments everything(const Scratch& scratch) {
  const nn::Model model = nn::ModelBuilder("net", {16, 16, 3})
                              .conv(4)
                              .relu()
                              .max_pool()
                              .flatten()
                              .dropout(0.4F)
                              .dense(12)
                              .relu()
                              .dense(3)
                              .softmax()
                              .build();
  const fs::path file = scratch.write("net.json", nn::to_json(model));
  return {"--model",
          file.string(),
          "--epochs",
          "12",
          "--batch",
          "4",
          "--flip",
          "--rotation-range",
          "20",
          "--zoom-range",
          "0.2",
          "--crop-padding",
          "2",
          "--metrics",
          "f1,auc",
          "--patience",
          "9",
          "--restore-best",
          "--plateau-patience",
          "2",
          "--prune",
          "polynomial",
          "--prune-final-sparsity",
          "0.7",
          "--prune-begin",
          "10",
          "--prune-frequency",
          "7",
          "--checkpoint-every",
          "3",
          "--learning-rate",
          "0.003"};
}

/// Whether a run can be resumed: a kill within the first checkpoint leaves only the beginning of
/// one.
bool has_whole_checkpoint(const fs::path& run) {
  if (!fs::exists(run / "checkpoints")) return false;
  return std::ranges::any_of(fs::directory_iterator(run / "checkpoints"),
                             [](const auto& entry) { return entry.path().extension() == ".ckpt"; });
}

}  // namespace

TEST_CASE("a run killed at random moments and resumed each time ends as the one that was not") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 40);
  const Arguments options = everything(scratch);
  trained(data, scratch / "whole", options);
  const std::vector<std::byte> model = read_file(scratch / "whole/model.safetensors");
  const std::vector<std::byte> best = read_file(scratch / "whole/best.safetensors");
  const std::vector<Row> rows = figures(scratch / "whole");
  REQUIRE(rows.size() >= 4);
  CHECK(std::stod(rows.back().at("sparsity")) > 0.3);  // so that there is something to keep

  Random random(17, 0, 0, Purpose::user);
  int kills = 0, resumes = 0;
  for (int run_number = 0; kills < 20; ++run_number) {
    const fs::path run_dir = scratch / ("run" + std::to_string(run_number));
    for (bool has_ended = false; !has_ended;) {
      const bool has_checkpoint = has_whole_checkpoint(run_dir);
      // Every second one when an epoch is over, so that there is something to go on from however
      // slow the machine is; the others at any moment from the start.
      const RunOptions kill{
          .kill_after_us = kills < 20 ? 1 + static_cast<std::int64_t>(random.below(400'000)) : 0,
          .kill_at = kills % 2 == 0 ? "epoch " : ""};
      const Outcome outcome = has_checkpoint
                                  ? run({"train", "--resume", run_dir.string()}, kill)
                                  : train(data, run_dir, with(options, {"--overwrite"}), kill);
      resumes += has_checkpoint ? 1 : 0;
      INFO(outcome.err);
      has_ended = outcome.status == 0;
      if (has_ended) break;
      REQUIRE(outcome.status == 128 + SIGKILL);
      ++kills;
    }
    CHECK(read_file(run_dir / "model.safetensors") == model);
    CHECK(read_file(run_dir / "best.safetensors") == best);
    CHECK(figures(run_dir) == rows);
  }
  CHECK(kills == 20);
  CHECK(resumes >= 5);  // or the kills came before there was anything to go on from
}

TEST_CASE("a run stopped by a signal says how to go on, and goes on to the same bit") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 40);
  const Arguments options = quick_steps(40, {"--flip"});
  trained(data, scratch / "whole", options);
  const fs::path run_dir = scratch / "run";
  const Outcome stopped =
      train(data, run_dir, options, {.signal = signal, .signal_at = "epoch 2/"});
  CHECK(stopped.status == 128 + signal);
  CHECK_THAT(stopped.err, Contains("train --resume " + shell_quoted(run_dir.native())));
  const Outcome resumed = run({"train", "--resume", run_dir.string()});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK_THAT(resumed.out, Contains("resumes    after step"));
  CHECK(read_file(run_dir / "model.safetensors") == read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(run_dir) == figures(scratch / "whole"));
}

TEST_CASE("a run whose steps take several batches goes on to the same bit when it was stopped") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 45);
  const fs::path net = scratch.write("net.json", nn::to_json(nn::ModelBuilder("net", {16, 16, 3})
                                                                 .conv(4)
                                                                 .batch_norm()
                                                                 .relu()
                                                                 .max_pool()
                                                                 .flatten()
                                                                 .dropout(0.4F)
                                                                 .dense(2)
                                                                 .softmax()
                                                                 .build()));
  const Arguments options{"--model",  net.string(),
                          "--batch",  "4",
                          "--epochs", "12",
                          "--flip",   "--accumulate",
                          "5",        "--class-mode",
                          "sparse",   "--schedule",
                          "cosine",   "--checkpoint-every",
                          "2"};
  trained(data, scratch / "whole", options);
  CHECK(column(scratch / "whole", "samples").front() == "72");
  Random random(23, 0, 0, Purpose::user);
  const fs::path run_dir = scratch / "run";
  int stops = 0;
  for (bool has_ended = false; !has_ended;) {
    const RunOptions stop{.signal = stops < 6 ? SIGINT : 0, .signal_at = stops < 6 ? "epoch " : ""};
    const Outcome outcome = has_whole_checkpoint(run_dir)
                                ? run({"train", "--resume", run_dir.string()}, stop)
                                : train(data, run_dir, with(options, {"--overwrite"}), stop);
    INFO(outcome.err);
    has_ended = outcome.status == 0;
    if (has_ended) break;
    REQUIRE(outcome.status == 128 + SIGINT);
    ++stops;
  }
  CHECK(stops >= 1);
  CHECK(read_file(run_dir / "model.safetensors") == read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(run_dir) == figures(scratch / "whole"));
  const Outcome other = run({"train", "--resume", run_dir.string(), "--accumulate", "2"});
  CHECK(other.status == 1);
  CHECK_THAT(other.err, Contains("started with --accumulate 5, not 2"));
}

// Runs that are stopped, killed and gone on with.

#include "apps/train_run.h"

#include <millrace/core/random.h>
#include <millrace/io/safetensors.h>
#include <millrace/nn/model_json.h>
#include <algorithm>

#include <signal.h>

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

nlohmann::json json_of(const fs::path& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in);
}

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
  const int signal = GENERATE(SIGINT, SIGTERM);
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 40);
  const Arguments options = quick_steps(40, {"--flip"});
  trained(data, scratch / "whole", options);
  const fs::path run_dir = scratch / "run";
  const Outcome stopped =
      train(data, run_dir, options, {.signal = signal, .signal_at = "epoch 2/"});
  CHECK(stopped.status == 128 + signal);
  CHECK_THAT(stopped.err, Contains("train --resume " + run_dir.string()));
  const Outcome resumed = run({"train", "--resume", run_dir.string()});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK_THAT(resumed.out, Contains("goes on    behind step"));
  CHECK(read_file(run_dir / "model.safetensors") == read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(run_dir) == figures(scratch / "whole"));
}

TEST_CASE("a damaged checkpoint is named and passed over") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "whole", quick_steps(5));
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(3));
  const fs::path last = run_dir / "checkpoints/step-00000012.ckpt";
  REQUIRE(fs::exists(last));
  fs::resize_file(last, fs::file_size(last) / 2);
  const Outcome resumed = run({"train", "--resume", run_dir.string(), "--epochs", "5"});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK_THAT(resumed.err, Contains("passed over: " + last.string()));
  CHECK_THAT(resumed.out, Contains("goes on    behind step 8, in epoch 3"));
  CHECK(read_file(run_dir / "model.safetensors") == read_file(scratch / "whole/model.safetensors"));
}

TEST_CASE("a damaged best checkpoint does not keep a run from going on") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(3, {"--keep-checkpoints", "0"}));
  const fs::path best = fs::canonical(run_dir / "checkpoints/best.ckpt");
  fs::resize_file(best, fs::file_size(best) / 2);
  const Outcome resumed = run({"train", "--resume", run_dir.string(), "--epochs", "5"});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK(metrics(run_dir).size() == 5);
}

TEST_CASE("a run is not replaced by one that cannot begin") {
  const Scratch scratch;
  const fs::path run_dir = scratch / "run";
  trained("generated:20x4:2", run_dir, quick_steps(1));
  const auto model = read_file(run_dir / "model.safetensors");
  const Outcome outcome =
      train("generated:20x4:2", run_dir, quick_steps(1, {"--overwrite", "--show-augmented", "4"}));
  CHECK(outcome.status != 0);
  CHECK(read_file(run_dir / "model.safetensors") == model);
}

TEST_CASE("a run that has trained all its epochs is complete, and goes on when it is given more") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(3));
  const auto model = read_file(run_dir / "model.safetensors");
  fs::remove(run_dir / "model.safetensors");  // as if killed right behind the checkpoint
  fs::remove(run_dir / "metrics.csv");
  const Outcome again = run({"train", "--resume", run_dir.string()});
  INFO(again.err);
  CHECK(again.status == 0);
  CHECK_THAT(again.out, Contains("all 3 epochs are trained"));
  CHECK(read_file(run_dir / "model.safetensors") == model);
  CHECK(metrics(run_dir).size() == 3);
  CHECK(run({"train", "--resume", run_dir.string(), "--epochs", "4"}).status == 0);
  CHECK(metrics(run_dir).size() == 4);
}

TEST_CASE("what cannot be gone on with is refused in one line that says why") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(3));
  const auto refused = [&](const Arguments& more, int status, const std::string& why) {
    const auto before = read_file(run_dir / "metrics.csv");
    const Outcome outcome = run(with({"train", "--resume", run_dir.string()}, more));
    CHECK(outcome.status == status);
    CHECK(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains(why));
    CHECK(read_file(run_dir / "metrics.csv") == before);
  };
  refused({"--batch", "8"}, 1, "begun with --batch 4, not 8");
  refused({"--model", "mlp:9"}, 1, "the model is not the one");
  refused({"--overwrite"}, 2, "leave out --overwrite");
  refused({"--no-checkpoints"}, 2, "contradicts --resume");
  refused({"--epochs", "9", "--prune", "constant"}, 1, "the run was begun without pruning");
  fs::rename(data / "dark/3.png", data / "dark/another.png");
  refused({"--epochs", "9"}, 1, "data changed since the run began");
  for (const char* name : {"another", "4", "5", "6", "7"}) {
    fs::remove(data / "dark" / (std::string(name) + ".png"));
  }
  refused({"--epochs", "9"}, 1, "then 16 samples, now 12 samples");
  fs::remove_all(run_dir / "checkpoints");
  refused({}, 1, "holds no checkpoint to go on from");
  const Outcome nothing = run({"train", "--resume", (scratch / "nowhere").string()});
  CHECK(nothing.status == 1);
  CHECK_THAT(nothing.err, Contains("holds no run to go on with"));
}

TEST_CASE("layers that are unfrozen at an epoch train from there on, resumed or not") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 10);
  const Arguments cnn = {"--model", "cnn:4:8", "--batch", "4", "--learning-rate", "0.01"};
  trained(data, scratch / "first", with(cnn, {"--epochs", "1"}));
  const Arguments options =
      with(cnn, {"--weights", (scratch / "first/model.safetensors").string(), "--freeze", "conv",
                 "--unfreeze-at", "3", "--unfreeze-factor", "0.5", "--metrics", "auc"});
  const auto kernel = [](const fs::path& model) {
    const SafetensorsFile file(model);
    std::vector<float> values(4 * 3 * 3 * 3);
    file.read("conv1.weight", values);
    return values;
  };
  trained(data, scratch / "frozen", with(options, {"--epochs", "2"}));
  CHECK(kernel(scratch / "frozen/model.safetensors") ==
        kernel(scratch / "first/model.safetensors"));
  trained(data, scratch / "whole", with(options, {"--epochs", "4"}));
  CHECK(kernel(scratch / "whole/model.safetensors") != kernel(scratch / "first/model.safetensors"));
  CHECK(column(scratch / "whole", "learning_rate") == Arguments{"0.01", "0.01", "0.005", "0.005"});

  for (const std::string epochs : {"3", "4"}) {  // unfrozen behind the first, kept by the second
    const Outcome outcome =
        run({"train", "--resume", (scratch / "frozen").string(), "--epochs", epochs});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
  }
  CHECK(read_file(scratch / "frozen/model.safetensors") ==
        read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(scratch / "frozen") == figures(scratch / "whole"));
}

TEST_CASE("A run keeps which algorithms it computed with, and goes on with those") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 6);
  const fs::path run_dir = scratch / "run";
  const RunOptions options{.environment = {{"XDG_CACHE_HOME", (scratch / "cache").string()}}};
  const Arguments net = {"--model", "cnn:32,32:8", "--size", "16", "--batch", "4", "--epochs", "1"};
  REQUIRE(train(data, run_dir, net, options).status == 0);
  const fs::path kept = run_dir / "algorithms.json";
  nlohmann::json choices = json_of(kept);
  CHECK(choices.at("timings").size() == 1);
  CHECK(fs::exists(scratch / "cache" / "millrace" / "onednn-timings.json"));

  // Other times than the machine's file has, in the same proportions, so that the same ways are
  // chosen: they stay where the run is gone on with.
  for (auto& operation : choices.at("timings").front()) {
    for (auto& [way, time] : operation.items()) time = 2 * time.get<double>();
  }
  std::ofstream(kept) << choices.dump();
  const Outcome more = run({"train", "--resume", run_dir.string(), "--epochs", "2"}, options);
  REQUIRE(more.status == 0);
  CHECK(json_of(kept) == choices);
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
  CHECK_THAT(other.err, Contains("begun with --accumulate 5, not 2"));
}

// Runs that are gone on with: from damaged files, with more epochs or other options, and what is
// refused.

#include "apps/train_run.h"

#include <millrace/io/safetensors.h>

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

}  // namespace

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
  CHECK_THAT(resumed.out, Contains("resumes    after step 8, in epoch 3"));
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
  CHECK_THAT(again.out,
             Contains("all 3 epochs are trained; for more of them add --epochs N, above 3"));
  const Outcome fewer = run({"train", "--resume", run_dir.string(), "--epochs", "2"});
  CHECK(fewer.status == 0);
  CHECK_THAT(fewer.out, Contains("3 epochs are trained, more than --epochs 2"));
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
  refused({"--batch", "8"}, 1, "started with --batch 4, not 8");
  refused({"--model", "mlp:9"}, 1, "the model is not the one");
  refused({"--overwrite"}, 2, "leave out --overwrite");
  refused({"--epochs", "9", "--prune", "constant", "--prune-begin", "3"}, 2,
          "--prune-begin 3: the run has taken 12 steps without pruning; give 12 or more");
  refused({"--epochs", "9", "--prune", "constant", "--prune-end", "7"}, 2,
          "--prune-end 7: pruning begins at step 12");
  fs::rename(data / "dark/3.png", data / "dark/another.png");
  refused({"--epochs", "9"}, 1, "data changed since the run began");
  for (const char* name : {"another", "4", "5", "6", "7"}) {
    fs::remove(data / "dark" / (std::string(name) + ".png"));
  }
  refused({"--epochs", "9"}, 1, "then 16 samples, now 12 samples");
  fs::remove_all(run_dir / "checkpoints");
  refused({}, 1, "holds no checkpoint to resume from");
  const Outcome nothing = run({"train", "--resume", (scratch / "nowhere").string()});
  CHECK(nothing.status == 1);
  CHECK_THAT(nothing.err, Contains("holds no run to resume"));
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

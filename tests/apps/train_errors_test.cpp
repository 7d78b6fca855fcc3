// What `train` says when something is wrong: one clear line, the right exit status, nothing partial
// left under its final name.

#include "apps/images.h"
#include "apps/train_failure.h"

#include <csignal>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

TEST_CASE("data that is not there") {
  const fs::path folder = scratch("missing");
  const Outcome outcome = train(folder, {});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains((folder / "data").string()));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a class without images") {
  const fs::path folder = scratch("empty_class");
  write_classes(folder / "data", {"cats", "dogs"}, 4);
  fs::create_directories(folder / "data" / "birds");
  const Outcome outcome = train(folder, {});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("birds"));
}

TEST_CASE("one class only") {
  const fs::path folder = scratch("one_class");
  write_classes(folder / "data", {"cats"}, 4);
  const Outcome outcome = train(folder, {});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("cats"));
}

TEST_CASE("a table of one class only") {
  const fs::path folder = scratch("one_class_table");
  write_text(folder / "data" / "train.csv", "x,class\n0.1,1\n0.2,1\n0.3,1\n");
  const Outcome outcome = train(folder, {});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains((folder / "data").string()) && Contains("one class"));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("validation samples of another shape than those of training") {
  const fs::path folder = scratch("validation_shape");
  write_text(folder / "data" / "train.csv", "0.1,0\n0.9,1\n0.2,0\n0.8,1\n");
  write_text(folder / "wide.csv", "0.1,0.5,0\n0.9,0.5,1\n");
  write_classes(folder / "pictures", {"0", "1"}, 2);
  const std::string other = GENERATE("wide.csv", "pictures");
  const Outcome outcome = train(folder, {"--validation", (folder / other).string()});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains((folder / other).string()));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a flat folder of images is shown the tree that is expected") {
  const fs::path folder = scratch("flat");
  for (int i = 0; i < 3; ++i) write_image(folder / "data" / (std::to_string(i) + ".png"), 100, i);
  const Outcome outcome = train(folder, {});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("/cats/") && Contains("/dogs/"));
}

TEST_CASE("a run directory that cannot be written") {
  const fs::path folder = scratch("unwritable");
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  fs::create_directories(folder / "closed");
  fs::permissions(folder / "closed", fs::perms::owner_read | fs::perms::owner_exec |
                                         fs::perms::others_read | fs::perms::others_exec);
  const Outcome once = run({"train", (folder / "data").string(), "--run-dir",
                            (folder / "closed" / "run").string(), "--epochs", "1"},
                           {.drop_privileges = true});
  CHECK(once.status == 1);
  check_one_line(once);
  CHECK_THAT(once.err, Contains("closed") && Contains("ermission"));
}

TEST_CASE("a run directory that holds a run is not overwritten unless asked") {
  const fs::path folder = scratch("twice");
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  CHECK(train(folder, {}).status == 0);
  const Outcome again = train(folder, {});
  CHECK(again.status == 1);
  check_one_line(again);
  CHECK_THAT(again.err, Contains("--overwrite"));
  CHECK(train(folder, {"--overwrite"}).status == 0);
}

TEST_CASE("bad usage has status 2 and says what was wrong") {
  const fs::path folder = scratch("usage");
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  write_text(folder / "wrong.ini", "epochs = 3\nepoch = 4\n");
  write_text(folder / "value.ini", "seed = many\n");
  const auto [more, expected] = GENERATE_COPY(table<std::vector<std::string>, std::string>(
      {{{"--colour", "red"}, "unknown option '--colour'"},
       {{"--epoch", "3"}, "did you mean 'epochs'?"},
       {{"--recipe", (folder / "wrong.ini").string()}, "unknown key 'epoch'"},
       {{"--recipe", (folder / "value.ini").string()}, "seed"},
       {{"--recipe", (folder / "none.ini").string()}, "none.ini"},
       {{"--validation-share", "1.5"}, "--validation-share must be in [0, 1), not 1.5"},
       {{"--optimizer", "magic"}, "magic"},
       {{"--model", "resnet9000"}, "resnet9000"},
       {{"--filter", "soft"}, "soft"},
       {{"--size", "big"}, "--size must be N or HxW"},
       {{"--memory-budget", "lots"}, "must be a size such as 512MiB or 2GiB, not 'lots'"},
       {{"second"}, "too many arguments"}}));
  const Outcome outcome = train(folder, more);
  INFO(outcome.err);
  CHECK(outcome.status == 2);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains(expected));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a number below zero is refused with the name of its option") {
  const fs::path folder = scratch("negative");
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  const auto [more, option] = GENERATE(table<std::vector<std::string>, std::string>(
      {{{"--epochs=-1"}, "--epochs"},
       {{"--epochs=0"}, "--epochs"},
       {{"--steps-per-epoch", "-1"}, "--steps-per-epoch"},
       {{"--limit-batches=-2"}, "--limit-batches"},
       {{"--bad-image-limit=-1"}, "--bad-image-limit"},
       {{"--seed=-1"}, "--seed"},
       {{"--batch=-1"}, "--batch"},
       {{"--threads=-1"}, "--threads"},
       {{"--slots=-1"}, "--slots"}}));
  std::vector<std::string> arguments = {"train", (folder / "data").string(), "--run-dir",
                                        (folder / "run").string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run(arguments);
  INFO(outcome.err);
  CHECK(outcome.status == 2);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains(option));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a GPU that was asked for is not replaced silently") {
  const fs::path folder = scratch("gpu");
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  const Outcome outcome = train(folder, {"--device", "gpu"});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("--device gpu: ") && Contains("or use --device cpu"));
}

TEST_CASE("a budget that is too small is refused with the sum, before anything is written") {
  const fs::path folder = scratch("budget");
  write_classes(folder / "data", {"cats", "dogs"}, 8);
  const Outcome outcome = train(folder, {"--memory-budget", "1MiB"});
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.err, Contains("the budget is 1 MiB") && Contains("host batches") &&
                              Contains("model: parameters") && Contains("total"));
  CHECK_FALSE(fs::exists(folder / "run"));
}

TEST_CASE("a signal stops training cleanly") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  const fs::path folder = scratch("signal");
  write_classes(folder / "data", {"cats", "dogs"}, 40, 32);
  const Outcome outcome =
      run({"train", (folder / "data").string(), "--run-dir", (folder / "run").string(), "--epochs",
           "100000", "--batch", "4", "--compute-threads", "1"},
          {.signal = signal, .signal_at = "epoch 2/"});
  CHECK(outcome.status == 128 + signal);
  CHECK_THAT(outcome.err, Contains("stopped by a signal"));
  CHECK(fs::exists(folder / "run" / "model.safetensors"));  // of the epochs that were whole
  CHECK(fs::exists(folder / "run" / "report.json"));
}

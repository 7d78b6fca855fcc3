// The event files of whole runs: as many numbers as metrics.csv has, and none where none are
// wanted.

#include "apps/train_run.h"
#include "io/event_file.h"

#include <algorithm>
#include <span>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

std::vector<float> numbers_of(const fs::path& run_dir, const std::string& name) {
  std::vector<float> values;
  for (const std::string& text : column(run_dir, name)) values.push_back(std::stof(text));
  return values;
}

Arguments small(const Arguments& more) {
  Arguments arguments = {"--model", "mlp:4", "--batch", "4", "--epochs", "3"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace

TEST_CASE("events hold the numbers of metrics.csv, and batches as asked for") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, small({"--tensorboard-update", "2"}));
  const fs::path train = run_dir / "events/train", validation = run_dir / "events/validation";
  CHECK(values_of(train, "epoch_loss") == numbers_of(run_dir, "loss"));
  CHECK(values_of(train, "epoch_accuracy") == numbers_of(run_dir, "accuracy"));
  CHECK(values_of(train, "epoch_learning_rate") == numbers_of(run_dir, "learning_rate"));
  CHECK(values_of(validation, "epoch_loss") == numbers_of(run_dir, "val_loss"));
  CHECK(values_of(validation, "evaluation_accuracy_vs_iterations") ==
        numbers_of(run_dir, "val_accuracy"));
  CHECK(values_of(train, "batch_loss").size() == 6);  // of 3 times 4 steps
}

TEST_CASE("the contact sheet that a run writes is in its events too") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "run", small({"--show-augmented", "4"}));
  const event::Event event = read_run(scratch / "run/events/train").at(0);
  CHECK(event.summary().value(0).tag() == "augmented");
  const std::string& png = event.summary().value(0).tensor().string_val(2);
  CHECK(
      std::ranges::equal(std::as_bytes(std::span(png)), read_file(scratch / "run/augmented.png")));
  CHECK(values_of(scratch / "run/events/train", "epoch_loss").size() == 3);
}

TEST_CASE("a run that replaces another leaves its own events only") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "run", small({}));
  trained(data, scratch / "run", small({"--overwrite", "--seed", "2"}));
  CHECK(values_of(scratch / "run/events/train", "epoch_loss") ==
        numbers_of(scratch / "run", "loss"));
}

TEST_CASE("a resumed run goes on with its curves") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, small({}));
  const Outcome resumed =
      run({"train", "--resume", run_dir.string(), "--epochs", "4", "--threads", "2"});
  INFO(resumed.err);
  REQUIRE(resumed.status == 0);
  CHECK(values_of(run_dir / "events/train", "epoch_loss") == numbers_of(run_dir, "loss"));
  CHECK(numbers_of(run_dir, "loss").size() == 4);
}

TEST_CASE("a run without events has no folder for them") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "run", small({"--no-events"}));
  CHECK_FALSE(fs::exists(scratch / "run/events"));
  const Outcome refused =
      train(data, scratch / "other", small({"--no-events", "--tensorboard-update", "5"}));
  CHECK(refused.status == 2);
  CHECK(refused.err ==
        "millrace: train: --tensorboard-update has no effect without events, which --no-events "
        "switches off\n");
}

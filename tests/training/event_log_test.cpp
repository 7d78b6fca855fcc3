// What a run writes for TensorBoard, without a run: records go in, event files are read back.

#include <millrace/training/event_log.h>

#include <millrace/training/prune_summary.h>

#include "catch.h"
#include "io/event_file.h"
#include "io/scratch.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <tuple>

using namespace millrace;
using namespace millrace::test;
using nlohmann::json;

namespace {

using Scalar = std::tuple<std::string, std::int64_t, float>;  // tag, step, value

std::vector<Scalar> scalars_of(const std::filesystem::path& run) {
  std::vector<Scalar> scalars;
  for (const event::Event& event : read_run(run)) {
    const event::Summary::Value& value = event.summary().value(0);
    scalars.emplace_back(value.tag(), event.step(), value.tensor().float_val(0));
  }
  return scalars;
}

nn::StepResult result_of(const json& row) {
  const std::int64_t samples = row[2];
  return {row[0], static_cast<double>(samples), row[1], samples};
}

nn::StepResult sum_of(const json& rows) {
  nn::StepResult sum;
  for (const json& row : rows) sum += result_of(row);
  return sum;
}

// What the stages before the log tell of the run that Keras was recorded with.
void replay(EventLog& log, const json& recorded) {
  std::uint64_t step = 0;
  for (std::uint32_t epoch = 0; epoch < recorded["epochs"]; ++epoch) {
    StepRecord record;
    record.tag.epoch = epoch;
    for (const json& row : recorded["training"]) {
      record.result = result_of(row);
      record.totals += record.result;
      record.global_step = ++step;
      log.step(record);
    }
    record.tag.phase = Phase::validation;
    record.totals = {};
    for (const json& row : recorded["validation"]) {
      record.result = result_of(row);
      record.totals += record.result;
      log.step(record);
    }
    EpochRecord whole;
    whole.epoch = epoch;
    whole.training = sum_of(recorded["training"]);
    whole.validation = sum_of(recorded["validation"]);
    whole.global_step = step;
    log.epoch(whole);
  }
}

EpochRecord epoch_of(double loss) {
  EpochRecord record;
  record.training = {loss, 1, 1, 1};
  record.learning_rate = 0.5;
  return record;
}

}  // namespace

TEST_CASE("tags, steps and values are those that Keras's TensorBoard callback writes") {
  std::ifstream file(MILLRACE_TEST_DATA "/apps/tensorboard.json");
  const json recorded = json::parse(file);
  const Scratch scratch;
  {
    EventLog log(scratch.path(), recorded["every"]);
    replay(log, recorded);
  }
  for (const std::string run : {"train", "validation"}) {
    std::vector<Scalar> expected;
    for (const json& row : recorded["scalars"]) {
      if (row[0] == run) expected.emplace_back(row[1], row[2], row[3]);
    }
    std::vector<Scalar> written = scalars_of(scratch / run);
    std::sort(expected.begin(), expected.end());
    std::sort(written.begin(), written.end());
    REQUIRE(written.size() == expected.size());
    for (std::size_t i = 0; i < written.size(); ++i) {
      INFO(run << ": " << std::get<0>(expected[i]) << " at " << std::get<1>(expected[i]));
      CHECK(std::get<0>(written[i]) == std::get<0>(expected[i]));
      CHECK(std::get<1>(written[i]) == std::get<1>(expected[i]));
      CHECK(std::get<2>(written[i]) == Approx(std::get<2>(expected[i])).epsilon(1e-6));
    }
  }
}

TEST_CASE("batches are logged only if asked for, and runs without values have no folder") {
  const Scratch scratch;
  EventLog log(scratch / "events");
  StepRecord record;
  record.result = record.totals = {1, 1, 1, 1};
  record.global_step = 100;
  log.step(record);
  CHECK_FALSE(std::filesystem::exists(scratch / "events"));
  log.epoch(epoch_of(2));
  CHECK(scalars_of(scratch / "events/train") ==
        std::vector<Scalar>{{"epoch_accuracy", 0, 1.0F},
                            {"epoch_loss", 0, 2.0F},
                            {"epoch_learning_rate", 0, 0.5F}});
  CHECK_FALSE(std::filesystem::exists(scratch / "events/validation"));
}

TEST_CASE("further measures are logged beside the loss, those of tensors left to pruning") {
  const Scratch scratch;
  EventLog log(scratch.path());
  EpochRecord record = epoch_of(1);
  record.global_step = 40;
  record.extra = {{"val_auc", 0.75}, {"sparsity", 0.5}, {"fc.weight/sparsity", 0.5}};
  log.epoch(record);
  CHECK(scalars_of(scratch / "train").back() == Scalar{"epoch_sparsity", 0, 0.5F});
  CHECK(scalars_of(scratch / "validation") ==
        std::vector<Scalar>{{"evaluation_auc_vs_iterations", 40, 0.75F}, {"epoch_auc", 0, 0.75F}});
}

TEST_CASE("sparsity and threshold of each pruned tensor are logged when masks are made") {
  const Scratch scratch;
  EventLog log(scratch.path());
  PruneSummary summary{.step = 10, .tensors = {{"fc.weight", 8, 4, 0.125F}}};
  StepRecord record;
  record.global_step = 10;
  record.pruning = std::make_shared<PruneSummary>(summary);
  log.step(record);
  log.step(record);  // told again at the end of the epoch
  record.pruning = nullptr;
  record.global_step = 11;
  log.step(record);
  CHECK(scalars_of(scratch / "metrics") ==
        std::vector<Scalar>{{"sparsity", 10, 0.5F},
                            {"fc.weight/sparsity", 10, 0.5F},
                            {"fc.weight/threshold", 10, 0.125F}});
}

TEST_CASE("the contact sheet is an image of the training run") {
  const Scratch scratch;
  EventLog log(scratch.path());
  const std::array png = {std::byte{0x89}, std::byte{'P'}};
  log.contact_sheet(png, 20, 30);
  const event::Event event = read_run(scratch / "train").at(0);
  CHECK(event.summary().value(0).tag() == "augmented");
  CHECK(event.summary().value(0).tensor().string_val(0) == "30");
  CHECK(event.summary().value(0).tensor().string_val(2) == "\x89P");
}

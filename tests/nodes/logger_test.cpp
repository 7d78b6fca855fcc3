#include "catch.h"

#include <millrace/nodes/logger.h>

using namespace millrace;

namespace {

StepRecord record(std::uint32_t epoch, Phase phase, bool ends_epoch, double loss,
                  std::int64_t holes) {
  StepRecord r;
  r.tag = {.phase = phase, .epoch = epoch, .ends_epoch = ends_epoch};
  r.totals = {.loss_sum = loss, .weight_sum = 1, .correct = 1, .samples = 2};
  r.holes = holes;
  r.learning_rate = 0.1;
  return r;
}

}  // namespace

TEST_CASE("an epoch is told once its last batch has come, with the totals of both phases") {
  std::vector<EpochRecord> epochs;
  int steps = 0;
  Logger log({.on_step = [&](const StepRecord&) { ++steps; },
              .on_epoch = [&](const EpochRecord& r) { epochs.push_back(r); }});
  log(record(0, Phase::training, false, 5, 1));
  log(record(0, Phase::training, false, 9, 0));
  log(record(0, Phase::validation, true, 3, 2));
  log(record(1, Phase::training, true, 4, 0));
  CHECK(steps == 4);
  REQUIRE(epochs.size() == 2);
  CHECK(epochs[0].training.loss_sum == 9);  // totals of the last record, not a sum of totals
  REQUIRE(epochs[0].validation);
  CHECK(epochs[0].validation->loss_sum == 3);
  CHECK(epochs[0].holes == 3);
  CHECK(epochs[0].learning_rate == 0.1);
  CHECK(epochs[1].epoch == 1);
  CHECK_FALSE(epochs[1].validation);
  CHECK(epochs[1].holes == 0);
}

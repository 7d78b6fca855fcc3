#include "catch.h"
#include "training/steps.h"

#include <millrace/training/callback.h>
#include <millrace/training/logger.h>

#include <limits>

using namespace millrace;
using namespace millrace::test;

namespace {

StepRecord step_record(double loss, bool ends_epoch = false, bool ends_run = false) {
  StepRecord record;
  record.tag = {.epoch = 2, .step = 6, .ends_epoch = ends_epoch, .ends_run = ends_run};
  record.result = {.loss_sum = loss, .samples = 4};
  record.global_step = 47;
  if (ends_epoch) record.epoch = std::make_shared<EpochRecord>();
  return record;
}

struct Counting final : Callback {
  void on_step(const StepRecord&, TrainingState&) override { ++steps; }
  void on_epoch(EpochRecord& epoch, TrainingState&) override {
    ++epochs;
    epoch.extra.emplace_back("mine", 0.5);
  }
  void on_end(TrainingState&) override { ++ends; }
  int steps = 0, epochs = 0, ends = 0;
};

}  // namespace

TEST_CASE("callbacks see each step, each epoch and the end, and may add to an epoch's record") {
  const auto state = small_state();
  const auto counting = std::make_shared<Counting>();
  Decide decide(state, {counting});
  decide(step_record(1));
  decide(step_record(1, true));
  CHECK(counting->ends == 0);
  decide(step_record(1));
  const StepRecord last = decide(step_record(1, true, true));
  CHECK(counting->steps == 4);
  CHECK(counting->epochs == 2);
  CHECK(counting->ends == 1);
  CHECK(last.epoch->value("mine") == 0.5);
  REQUIRE(state->history.size() == 2);
  CHECK(state->history[0].value("mine") == 0.5);
}

TEST_CASE("a function can end training after an epoch, and callbacks hear of the end") {
  const auto state = small_state();
  const auto counting = std::make_shared<Counting>();
  Decide decide(state, {after_each_epoch([](EpochRecord& epoch, TrainingState& s) {
                          if (epoch.value("loss") < 10.0) s.finish("good enough");
                        }),
                        counting});
  decide(step_record(1, true));
  CHECK(state->is_finished());
  CHECK(counting->ends == 1);
}

TEST_CASE("a loss that is not a number ends the run and says where") {
  Decide decide(small_state(), {stop_on_nan()});
  CHECK_NOTHROW(decide(step_record(1)));
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_WITH(decide(step_record(bad)),
                      Catch::Contains("step 47 (epoch 3)") && Catch::Contains("learning rate"));
  }
}

TEST_CASE("watchers are told one behind the other, and one may lack what the other has") {
  std::string told;
  const auto tells = [&told](const char* word) {
    return [&told, word](const auto&) { told += word; };
  };
  const Logger logger(
      both({.on_step = tells("a"), .on_epoch = tells("b")}, {.on_step = tells("c")}));
  StepRecord record;
  record.epoch = std::make_shared<EpochRecord>();
  logger(record);
  CHECK(told == "acb");
}

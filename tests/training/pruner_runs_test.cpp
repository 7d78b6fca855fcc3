// Pruners of runs that are saved, restored and gone on with.

#include <millrace/training/pruner.h>

#include <millrace/core/error.h>

#include "catch.h"
#include "training/recorded_pruning.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("A run that is saved and restored between two masks goes on as if it had not been") {
  const Recording recording;
  const bool keras_compat = GENERATE(false, true);
  const std::size_t stop = GENERATE(2U, 6U, 8U);  // 8 ends an epoch, and with keras_compat waits
  nn::PruneSchedule schedule = recording.schedule();
  schedule.begin_step = 1;
  schedule.keras_compat = keras_compat;
  // Up to the update `last` itself: what comes before the next epoch follows with the next call.
  const auto run = [&](Net& net, Pruner& pruner, std::size_t first, std::size_t last) {
    for (std::size_t step = first; step <= last; ++step) {
      if (step > 1 && recording.ends_epoch(step - 1)) pruner.before_epoch(*net.executor, step - 1);
      recording.train(*net.executor, step);
      pruner.after_update(*net.executor, step, recording.ends_epoch(step));
    }
  };
  Net whole(recording), first(recording), second(recording);
  Pruner all(whole.model, {.schedule = schedule}), before(whole.model, {.schedule = schedule}),
      after(whole.model, {.schedule = schedule});
  all.begin(*whole.executor, 0);
  // float32 copies at the stop, as a checkpoint takes them, on both sides.
  const auto copy = [&](const Net& from, Net& to) {
    for (const nn::Arena arena : {nn::Arena::parameters, nn::Arena::masks}) {
      Values values(static_cast<std::size_t>(arena == nn::Arena::parameters
                                                 ? nn::arena_elements(from.parameters)
                                                 : nn::trainable_elements(from.parameters)));
      from.executor->read(arena, values);
      to.executor->write(arena, values);
    }
  };
  run(whole, all, 1, stop);
  copy(whole, whole);
  before.begin(*first.executor, 0);
  run(first, before, 1, stop);
  Checkpoint checkpoint;
  before.save(checkpoint);
  copy(first, second);
  after.restore(checkpoint);
  after.begin(*second.executor, stop, recording.ends_epoch(stop));  // validation comes first
  CHECK(second.weights(kKernels[0]) == first.weights(kKernels[0]));
  CHECK(named_values(after.summary()) == named_values(before.summary()));

  run(whole, all, stop + 1, 20);
  run(second, after, stop + 1, 20);
  for (const std::string& name : kKernels) {
    CHECK(second.weights(name) == whole.weights(name));
    CHECK(second.mask(name) == whole.mask(name));
  }
  CHECK(named_values(after.summary()) == named_values(all.summary()));
}

TEST_CASE("Masks stay with the weights of their names when layers are thawed") {
  const Recording recording;
  nn::Model frozen = small_net();
  frozen.layers.front().trainable = false;
  Pruner pruner(frozen, {.schedule = {.final_sparsity = 0.5}});
  REQUIRE(pruner.summary().tensors.size() == 1);
  Net net(recording);  // in which both layers are trained, and dense2 lies elsewhere
  pruner.begin(*net.executor, 0);
  CHECK(zeros(net.mask("dense1.weight")) == 0);
  CHECK(zeros(net.mask("dense2.weight")) == 4);
}

TEST_CASE("A checkpoint of other tensors is refused") {
  Pruner both(small_net(), {});
  Checkpoint checkpoint;
  both.save(checkpoint);
  Pruner one(small_net(), {.include = {"dense1"}});
  CHECK_THROWS_AS(one.restore(checkpoint), Error);
}

TEST_CASE("A run goes on by the rule that it was begun with, and an older one by tfmot's") {
  const PruneOptions options{.schedule = {.final_sparsity = 0.7}};
  const auto pruned_of_equal = [](Pruner& pruner) {
    const Recording recording;
    Net net(recording);
    const Values all(static_cast<std::size_t>(nn::arena_elements(net.parameters)), 0.5F);
    net.executor->write(nn::Arena::parameters, all);
    pruner.begin(*net.executor, 0);
    return zeros(net.mask("dense1.weight"));
  };
  Checkpoint checkpoint;
  Pruner(small_net(), options).save(checkpoint);
  Pruner same(small_net(), options);
  same.restore(checkpoint);
  CHECK(same.rule() == PruneRule::smallest);
  CHECK(pruned_of_equal(same) == 34);
  checkpoint.values.erase("pruning.rule");
  Pruner older(small_net(), options);
  older.restore(checkpoint);
  CHECK(older.rule() == PruneRule::threshold);
  CHECK(pruned_of_equal(older) == 0);  // all are as large as the threshold
  Checkpoint again;
  older.save(again);
  same.restore(again);
  CHECK(same.rule() == PruneRule::threshold);
  checkpoint.set("pruning.rule", "of the next program");
  CHECK_THROWS_WITH(older.restore(checkpoint), Catch::Contains("'of the next program'"));
}

TEST_CASE("Pruning that a run did not have begins by its own rule where the run goes on") {
  const bool keras_compat = GENERATE(false, true);
  const Recording recording;
  Net net(recording);
  Pruner pruner(
      small_net(),
      {.schedule = {
           .final_sparsity = 0.5, .begin_step = 7, .frequency = 2, .keras_compat = keras_compat}});
  CHECK_FALSE(is_pruned(Checkpoint{}));
  pruner.restore(Checkpoint{});
  pruner.begin(*net.executor, 7);
  CHECK(zeros(net.mask("dense1.weight")) == (keras_compat ? 0 : 24));  // tfmot's is at step 9
  pruner.after_update(*net.executor, 8, false);
  CHECK(zeros(net.mask("dense1.weight")) == 24);
  Checkpoint checkpoint;
  pruner.save(checkpoint);
  CHECK(is_pruned(checkpoint));
}

// Nodes that keep state from item to item, in stages that would work on several at a time.

#include "catch.h"
#include "training/steps.h"

#include <millrace/training/callback.h>
#include <millrace/training/logger.h>
#include <millrace/training/prune_step.h>
#include <millrace/training/replay.h>
#include <millrace/training/resident.h>
#include <millrace/training/take_snapshot.h>
#include <millrace/training/train_step.h>

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr const char* kTold =
    "stage 'many': its node keeps state from item to item and takes one at a time; its "
    "concurrency is 1";

template <class In>
Stream<In> nothing(Pipeline& p) {
  return p.source("nothing", slots(1), [] { return std::optional<In>(); });
}

}  // namespace

TEST_CASE("training with concurrency above 1 is refused, on any threads") {
  const On on = GENERATE(On::compute, On::blocking);
  Pipeline p{{.threads = 4}};
  auto batches = nothing<Lease<DeviceBatch>>(p);
  CHECK_THROWS_WITH(p.then(batches, {.name = "many", .concurrency = 2, .on = on},
                           TrainStep(small_state(), tenth)),
                    kTold);
  CHECK_THROWS_WITH(p.then(batches, {.name = "many", .concurrency = kAllThreads, .on = on},
                           TrainStep(small_state(), tenth)),
                    kTold);
}

TEST_CASE("what decides, prunes, copies or logs between steps is serial too") {
  Pipeline p{{.threads = 4}};
  auto records = nothing<StepRecord>(p);
  const Stage many{.name = "many", .concurrency = 2};
  const auto state = small_state();
  auto snapshots = p.pool<Snapshot>("snapshot", 1, SnapshotFactory{state, {}});
  CHECK_THROWS_WITH(p.then(records, many, Decide(state, {})), kTold);
  CHECK_THROWS_WITH(p.then(records, many, PruneStep(state, nullptr)), kTold);
  CHECK_THROWS_WITH(p.then(records, many, TakeSnapshot(state, {}, snapshots)), kTold);
  CHECK_THROWS_WITH(p.sink(records, many, Logger({})), kTold);
}

TEST_CASE("what keeps batches takes one at a time") {
  Pipeline p{{.threads = 4}};
  auto batches = nothing<Lease<HostBatch>>(p);
  const Stage many{.name = "many", .concurrency = 2};
  CHECK_THROWS_WITH(p.sink(batches, many, KeepBatches(std::make_shared<KeptBatches>())), kTold);
  CHECK_THROWS_WITH(p.sink(batches, many, KeepResident(nullptr)), kTold);
}

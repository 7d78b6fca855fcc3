#include "apps/replay.h"

#include "apps/progress.h"
#include "apps/training_input.h"

#include <millrace/core/plural.h>

#include <utility>

namespace millrace::apps {
namespace {

std::uint32_t steps_of_epoch(const Training& t) {
  Training from_the_first = t;
  from_the_first.state = nullptr;
  return make_reader(from_the_first).training_steps();
}

}  // namespace

void check_replay(const TrainSpec& o, std::uint32_t steps) {
  if (o.data.replay <= steps) return;
  throw UsageError(concat("--replay ", o.data.replay, ": an epoch has ", steps,
                          " batches; replay as many or fewer"));
}

Stream<Lease<HostBatch>> add_replay(Pipeline& p, const Training& t) {
  const TrainSpec& o = t.spec;
  const HostBatchFactory batch = host_batches(t);
  charge_indexes(p, t);
  p.charge("kept batches", o.data.replay, batch.bytes());
  auto slots = p.pool<HostBatch>("host batches", o.machine.slots, ReplaySlotFactory{batch});
  return p.source({.name = "replay"}, slots,
                  Replay(t.kept, {.epochs = o.epochs,
                                  .steps = steps_of_epoch(t),
                                  .accumulate = o.accumulate,
                                  .start = t.state != nullptr ? t.state->next : ReaderPosition{},
                                  .finished = t.state != nullptr ? t.state->finished() : nullptr}));
}

std::string describe_replay(const Training& t) {
  return t.kept == nullptr ? std::string()
                           : concat("input replayed: the first ", t.spec.data.replay, ' ',
                                    plural(t.spec.data.replay, "batch was", "batches were"),
                                    " loaded once and fed over and over, not part of the times");
}

Report load_kept(const Training& t, std::stop_token stop) {
  Training first = t;
  first.spec.epochs = 1;
  first.spec.data.limit_batches = t.spec.data.replay;
  first.state = nullptr;  // from the first batch on, also for a run that is gone on with
  Pipeline p({.name = "load the batches to replay",
              .budget = t.spec.machine.memory_budget.value(),
              .threads = t.spec.machine.threads,
              .stall = stall_watch(t.spec.machine.stall_timeout.count())});
  auto host =
      p.pool<HostBatch>("kept batches", static_cast<int>(t.spec.data.replay), host_batches(t));
  t.kept->clear();
  p.sink(add_reading(p, t, make_reader(first), host), {.name = "keep"}, KeepBatches(t.kept));
  Report report = p.run(std::move(stop));
  if (report.stopped) throw Stopped("stopped while the batches to replay were loaded");
  return report;
}

}  // namespace millrace::apps

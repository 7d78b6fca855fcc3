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

void check_replay(const TrainOptions& o, std::uint32_t steps) {
  if (o.replay <= steps) return;
  throw UsageError(
      concat("--replay ", o.replay, ": an epoch has ", steps, " batches; replay as many or fewer"));
}

Stream<Lease<HostBatch>> add_replay(Pipeline& p, const Training& t) {
  const TrainOptions& o = t.options;
  const HostBatchFactory batch = host_batches(t);
  charge_indexes(p, t);
  p.charge("kept batches", o.replay, batch.bytes());
  auto slots = p.pool<HostBatch>("host batches", o.slots, ReplaySlotFactory{batch});
  return p.source({.name = "replay"}, slots,
                  Replay(t.kept, {.epochs = o.epochs,
                                  .steps = steps_of_epoch(t),
                                  .accumulate = o.accumulate,
                                  .start = t.state != nullptr ? t.state->next : ReaderPosition{},
                                  .finished = t.state != nullptr ? t.state->finished() : nullptr}));
}

std::string describe_replay(const Training& t) {
  return t.kept == nullptr ? std::string()
                           : concat("input replayed: the first ", t.options.replay, ' ',
                                    plural(t.options.replay, "batch was", "batches were"),
                                    " loaded once and fed over and over, not part of the times");
}

Report load_kept(const Training& t, std::stop_token stop) {
  Training first = t;
  first.options.epochs = 1;
  first.options.limit_batches = t.options.replay;
  first.state = nullptr;  // from the first batch on, also for a run that is gone on with
  Pipeline p({.name = "load the batches to replay",
              .budget = parse_bytes(t.options.memory_budget),
              .threads = t.options.threads,
              .stall = stall_watch(t.options.stall_timeout)});
  auto host =
      p.pool<HostBatch>("kept batches", static_cast<int>(t.options.replay), host_batches(t));
  t.kept->clear();
  p.sink(add_reading(p, t, make_reader(first), host), {.name = "keep"}, KeepBatches(t.kept));
  Report report = p.run(std::move(stop));
  if (report.stopped) throw Stopped("stopped while the batches to replay were loaded");
  return report;
}

}  // namespace millrace::apps

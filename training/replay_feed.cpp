#include <millrace/training/replay_feed.h>

#include <millrace/core/plural.h>

#include <utility>

namespace millrace {
namespace {

FeedOptions without_validation(FeedOptions options) {
  options.validation = {};
  return options;
}

}  // namespace

ReplayFeed::ReplayFeed(FeedOptions options, std::uint32_t batches)
    : Feed(without_validation(std::move(options))), batches_(batches) {
  const std::uint32_t steps = reader().training_steps();
  if (batches_ <= steps) return;
  throw UsageError(concat("--replay ", batches_, ": an epoch has ", steps, ' ',
                          plural(steps, "batch", "batches"), "; replay as many or fewer"));
}

Report ReplayFeed::load(const Watch& watch) {
  ReaderOptions first = options().order;  // from the first batch on, wherever the run begins
  first.epochs = 1;
  first.limit_batches = batches_;
  Pipeline p = loading_pipeline();
  auto host = p.pool<HostBatch>("kept batches", static_cast<int>(batches_), batches_on_host());
  kept_->clear();
  auto batches = add_reading(p, host, reader_in(std::move(first)), options().decoding);
  p.sink(batches, {.name = "keep"},
         [keep = KeepBatches(kept_), &watch,
          samples = std::uint64_t{0}](const Lease<HostBatch>& batch) mutable {
           keep(batch);
           samples += static_cast<std::uint64_t>(batch->size);
           if (watch.progress) watch.progress(samples);
         });
  Report report = p.run(watch.stop);
  if (report.stopped) throw Stopped("stopped while the batches to replay were loaded");
  return report;
}

Stream<Lease<HostBatch>> ReplayFeed::add(Pipeline& p, const FeedStart& from) const {
  const ReaderOptions& order = options().order;
  const HostBatchFactory batch = batches_on_host();
  charge_indexes(p, options().training, options().validation);
  p.charge("kept batches", batches_, batch.bytes());
  auto slots = p.pool<HostBatch>("host batches", options().slots, ReplaySlotFactory{batch});
  return p.source({.name = "replay"}, slots,
                  Replay(kept_, {.epochs = order.epochs,
                                 .steps = reader().training_steps(),
                                 .accumulate = order.accumulate,
                                 .start = from.position,
                                 .finished = from.finished}));
}

std::string ReplayFeed::describe() const {
  const std::size_t count = kept_->size();
  return concat("the first ", count == 1 ? "batch" : concat(count, " batches"),
                ", again and again");
}

std::string ReplayFeed::remark() const {
  return concat("input replayed: the first ", batches_, ' ',
                plural(batches_, "batch was", "batches were"),
                " loaded once and fed over and over, not part of the times");
}

}  // namespace millrace

#include <millrace/training/stream_feed.h>

#include <millrace/core/plural.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace {
namespace {

/// What is chosen beforehand, such as what is watched, depends on whether there is validation.
void check_validation(const HostBatch& batch, std::uint32_t most, std::int64_t rows) {
  const BatchTag& tag = batch.tag;
  if (tag.phase == Phase::training) {
    if (most == 0 || !tag.ends_epoch) return;
    throw Error(concat("the validation stream of epoch ", tag.epoch + 1,
                       " is empty; if there is to be no validation, set "
                       "StreamFacts::validation_samples to 0"));
  }
  if (tag.step * rows + batch.size + batch.holes <= most) return;
  throw Error(concat("the validation stream of epoch ", tag.epoch + 1, " has more than ", most, ' ',
                     plural(most, "sample"), "; raise StreamFacts::validation_samples"));
}

}  // namespace

/// The data set has a sample of each class, under the labels of the model.
EachRowOptions StreamFeed::rows() const {
  const FeedOptions& o = options();
  const StreamFacts& facts = stream_->facts;
  EachRowOptions rows{.seed = o.decoding.seed, .writes_pixels = facts.sample.rank() == 3};
  if (!facts.targets.empty()) {
    rows.targets = facts.targets_are_labels ? TargetKind::labels : TargetKind::numbers;
  } else if (!o.learns_input) {
    for (std::uint32_t i = 0; i < facts.classes.size(); ++i) {
      rows.labels.push_back(o.training.dataset->label(i));
    }
  }
  return rows;
}

Stream<Lease<HostBatch>> StreamFeed::add(Pipeline& p, const FeedStart& from) const {
  const FeedOptions& o = options();
  auto host = p.pool<HostBatch>("host batches", o.slots, batches_on_host());
  StreamedData::Request request{.options = {.batch = o.order.batch,
                                            .epochs = o.order.epochs,
                                            .steps_per_epoch = o.order.steps_per_epoch,
                                            .drop_last = o.order.drop_last,
                                            .limit_batches = o.order.limit_batches,
                                            .start = from.position,
                                            .accumulate = o.order.accumulate,
                                            .finished = from.finished},
                                .on_error = o.decoding.on_bad_image};
  request.rows = rows();
  auto samples = stream_->add(p, host, std::move(request));
  return p.then(add_batching(p, samples, o.decoding), "check",
                [most = stream_->facts.validation_samples,
                 rows = o.order.batch](const Lease<HostBatch>& batch) {
                  check_validation(*batch, most, rows);
                  return batch;
                });
}

std::uint64_t StreamFeed::updates() const {
  const ReaderOptions& o = options().order;
  if (o.steps_per_epoch == 0) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t batches =
      o.limit_batches == 0 ? o.steps_per_epoch : std::min(o.steps_per_epoch, o.limit_batches);
  return (batches + o.accumulate - 1) / o.accumulate * o.epochs;
}

}  // namespace millrace

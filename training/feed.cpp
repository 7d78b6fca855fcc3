#include <millrace/training/feed.h>

#include <millrace/nn/preprocessing.h>
#include <millrace/training/training_state.h>

#include <utility>

namespace millrace {

FeedStart FeedStart::of(const TrainingState& state) {
  return {state.next, state.step, state.finished()};
}

Feed::Feed(FeedOptions options)
    : options_(std::make_shared<const FeedOptions>(std::move(options))) {}

Report Feed::load(const Watch&) {
  return {};
}

DirectoryReader Feed::reader(const FeedStart& from) const {
  ReaderOptions order = options_->order;
  order.start = from.position;
  order.finished = from.finished;
  return reader_in(std::move(order));
}

DirectoryReader Feed::reader_in(ReaderOptions order, bool validates) const {
  using Kept = std::shared_ptr<const SampleSet>;
  return DirectoryReader(
      Kept(options_, &options_->training),
      validates ? Kept(options_, &options_->validation) : std::make_shared<const SampleSet>(),
      std::move(order));
}

std::uint64_t Feed::updates() const {
  const std::uint64_t batches = reader().training_steps();
  const std::uint64_t together = options_->order.accumulate;
  return (batches + together - 1) / together * options_->order.epochs;
}

std::vector<std::int64_t> Feed::short_batches() const {
  return reader().short_batches();
}

DeviceBatchFactory Feed::batches_on_device(std::int64_t batch) const {
  return {.engine = options_->engine,
          .sample = options_->decoding.sample,
          .dtype =
              nn::host_dtype(options_->decoding.preprocessing, options_->training.dataset->dtype()),
          .capacity = batch,
          .target_width = options_->target_width,
          .learns_input = options_->learns_input,
          .step = batch,
          .weighs_outputs = !options_->training.dataset->targets().empty()};
}

HostBatchFactory Feed::batches_on_host() const {
  const DeviceBatchFactory device = batches_on_device(options_->order.batch);
  return {device.sample, device.dtype, device.capacity,
          [engine = options_->engine](Bytes size) { return engine->host_buffer(size); },
          device.target_width};
}

UploadOptions Feed::upload() const {
  return {.batches = batches_on_device(options_->order.batch),
          .preprocessing = options_->decoding.preprocessing};
}

std::vector<Budget::Charge> Feed::device_memory(std::int64_t batch) const {
  return {{"device batches", kDeviceBatches, batches_on_device(batch).device_bytes()}};
}

Stream<Lease<HostBatch>> Feed::add_reading(Pipeline& p, const Pool<HostBatch>& host,
                                           DirectoryReader reader,
                                           const DecodingOptions& decoding) const {
  charge_reading(p, reader, decoding.lost.get());
  return add_decoding(p, host, std::move(reader), decoding);
}

Pipeline Feed::loading_pipeline() const {
  return Pipeline({.name = concat("load ", to_load()),
                   .budget = options_->budget,
                   .threads = options_->threads,
                   .stall = options_->stall});
}

Stream<Lease<HostBatch>> FileFeed::add(Pipeline& p, const FeedStart& from) const {
  auto host = p.pool<HostBatch>("host batches", options().slots, batches_on_host());
  return add_reading(p, host, reader(from), options().decoding);
}

}  // namespace millrace

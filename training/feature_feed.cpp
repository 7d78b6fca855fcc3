#include <millrace/training/feature_feed.h>

#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/training/feature_origin.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

constexpr std::uint32_t kNoPosition = 0xFFFF'FFFF;

std::uint32_t views_of(const FeedOptions& o) {
  const AugmentOptions augment = o.decoding.augment.value_or(AugmentOptions{});
  return augment.is_identity() ? 1 : std::max(augment.views, 1U);
}

std::vector<std::uint32_t> positions_in(const SampleSet& set) {
  if (set.size() == 0) return {};
  std::vector<std::uint32_t> positions(set.dataset->size(), kNoPosition);
  for (std::uint32_t i = 0; i < set.size(); ++i) positions[set.samples[i]] = i;
  return positions;
}

/// In the order of the data, once.
ReaderOptions once(const FeedOptions& o, std::uint32_t view) {
  return {.batch = o.order.batch,
          .epochs = view + 1,
          .shuffle = false,
          .ticket_samples = o.order.ticket_samples,
          .start = {.epoch = view, .pass = view}};
}

/// An executor with memory, for as long as it lives.
class Allocated {
 public:
  Allocated(nn::Executor& executor, std::span<const float> weights) : executor_(executor) {
    executor_.allocate();
    executor_.write(nn::Arena::parameters, weights);
  }
  ~Allocated() { executor_.release(); }
  Allocated(const Allocated&) = delete;
  Allocated& operator=(const Allocated&) = delete;

 private:
  nn::Executor& executor_;
};

}  // namespace

FeatureReader::FeatureReader(DirectoryReader reader, std::shared_ptr<const KeptFeatures> features)
    : reader_(std::move(reader)), features_(std::move(features)) {}

void FeatureReader::fill(HostBatch& batch) const {
  const KeptFeatures& kept = *features_;
  const std::vector<std::uint32_t>& positions =
      kept.positions[static_cast<std::size_t>(batch.tag.phase)];
  std::int64_t used = 0;
  for (std::int64_t i = 0; i < batch.size; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::uint64_t row = kept.layout.row(batch.tag.phase, batch.passes[at] % kept.layout.views,
                                              positions[batch.index[at]]);
    if (!kept.store->has(row)) continue;
    if (i != used) batch.move_stamps(i, used);
    kept.store->get(row, batch.row(used).as<float>());
    batch.valid[static_cast<std::size_t>(used++)] = 1;
  }
  batch.holes = batch.size - used;
  batch.size = used;
}

bool FeatureReader::operator()(Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit) {
  if (!reader_.next(*slot)) return false;
  fill(*slot);
  const bool ends = slot->tag.ends_run;
  emit(std::move(slot));
  return !ends;
}

FeatureFeed::FeatureFeed(FeedOptions feed, FeatureFeedOptions features)
    : Feed(std::move(feed)), features_(std::move(features)) {
  const FeedOptions& o = options();
  kept_ = std::make_shared<KeptFeatures>(
      KeptFeatures{.layout = {.width = features_.front.features.elements(),
                              .training = o.training.size(),
                              .validation = o.validation.size(),
                              .views = views_of(o),
                              .precision = features_.precision},
                   .positions = {positions_in(o.training), positions_in(o.validation)},
                   .store = nullptr});
  // A loss that leaves outputs as they are.
  front_ = o.engine->compile(features_.front.front,
                             {.batch = o.order.batch,
                              .other_batches = reader_in(once(o, 0)).short_batches(),
                              .training = false,
                              .loss = nn::Loss::mean_squared_error});
}

std::filesystem::path FeatureFeed::file() const {
  return run_ / "features.safetensors";
}

void FeatureFeed::keep_in(const std::filesystem::path& run) {
  run_ = run;
}

Metadata FeatureFeed::origin() const {
  return origin_of_features(options(), features_.front.front, head_->front_weights());
}

Bytes FeatureFeed::memory() const {
  const std::uint64_t samples = kept_->positions[0].size() + kept_->positions[1].size();
  const Bytes beside{samples * sizeof(std::uint32_t) + kept_->layout.rows()};
  return features_.in_file ? beside : beside + kept_->layout.bytes();
}

Pipeline FeatureFeed::loading(std::uint32_t view, Keep keep) const {
  Pipeline p = loading_pipeline();
  charge_model(p, *options().engine, front_->memory());
  charge_model(p, *options().engine, head_->memory());
  p.charge("weights of the frozen layers", 1, head_->front_bytes());
  p.charge("features", 1, memory());
  auto host = p.pool<HostBatch>("host batches", options().slots, batches_on_host());
  // Rows of validation come behind those of all views.
  const bool is_last = view + 1 == kept_->layout.views;
  auto images = add_reading(p, host, reader_in(once(options(), view), is_last), options().decoding);
  p.sink(add_upload(p, images, Feed::upload()), {.name = "frozen layers", .on = On::engine},
         std::move(keep));
  return p;
}

void FeatureFeed::check_loading() const {
  loading(kept_->layout.views - 1, [](const Lease<DeviceBatch>&) {}).check();
}

Report FeatureFeed::compute(const Watch& watch) {
  const FeatureLayout& layout = kept_->layout;
  const auto width = static_cast<std::size_t>(layout.width);
  const Allocated allocated(*front_, head_->front_weights());
  std::vector<float> outputs(static_cast<std::size_t>(options().order.batch) * width);
  std::uint64_t computed = 0;
  Report all;
  for (std::uint32_t view = 0; view < layout.views; ++view) {
    Pipeline p = loading(view, [&](const Lease<DeviceBatch>& batch) {
      if (batch->size == 0) return;
      const auto samples = static_cast<std::size_t>(batch->size);
      front_->predict(batch->view(), std::span(outputs).first(samples * width));
      for (std::size_t i = 0; i < samples; ++i) {
        const auto position = static_cast<std::uint32_t>(batch->positions[i]);
        kept_->store->put(layout.row(batch->tag.phase, view, position),
                          std::span(outputs).subspan(i * width, width));
      }
      computed += samples;
      if (watch.progress) watch.progress(computed);
    });
    Report report = p.run(watch.stop);
    if (report.stopped) throw Stopped("stopped while the features were computed");
    all = std::move(report);  // the last one saw all samples
  }
  return all;
}

Report FeatureFeed::load(const Watch& watch) {
  MILLRACE_CHECK(head_ != nullptr, "features of no model");
  is_reused_ = false;
  why_anew_.clear();
  if (!features_.in_file) {
    kept_->store = std::make_shared<FeatureMemory>(kept_->layout);
  } else {
    MILLRACE_CHECK(!run_.empty(), "features are kept in the directory of a run");
    Metadata from = origin();
    FoundFeatures found = find_features(file(), kept_->layout, from);
    is_reused_ = found.store != nullptr;
    why_anew_ = std::move(found.why_not);
    kept_->store = is_reused_
                       ? std::move(found.store)
                       : std::make_shared<FeatureFile>(file(), kept_->layout, std::move(from));
    if (is_reused_) return {};
  }
  Report report = compute(watch);
  kept_->store->finish();
  return report;
}

std::string FeatureFeed::amount() const {
  const FeatureLayout& layout = kept_->layout;
  const std::uint64_t samples = std::uint64_t{layout.training} + layout.validation;
  return concat(with_commas(samples), ' ', plural(samples, "sample"),
                layout.views > 1 ? concat(" in ", layout.views, " views") : std::string(), ", ",
                with_commas(static_cast<std::uint64_t>(layout.width)), " numbers each in ",
                features_.precision == FeaturePrecision::fp16 ? "fp16" : "fp32", ", ",
                layout.bytes());
}

std::string FeatureFeed::place() const {
  return features_.in_file ? file().string() : "memory";
}

std::string FeatureFeed::plan() const {
  return concat("'", features_.front.last, "' and all before it are computed once: ", amount(),
                " in ", features_.in_file ? "a file of the run" : "memory");
}

std::string FeatureFeed::describe() const {
  return concat(why_anew_.empty() ? std::string() : concat(why_anew_, ", so computed again: "),
                is_reused_ ? "as they were computed before: " : "", amount(), " in ", place());
}

std::string FeatureFeed::remark() const {
  return concat(
      "frozen layers were computed once, before the first step, which is not part of the ",
      "times: ", describe());
}

Stream<Lease<HostBatch>> FeatureFeed::add(Pipeline& p, const FeedStart& from) const {
  const FeedOptions& o = options();
  DirectoryReader order = reader(from);
  charge_reading(p, order, nullptr);
  p.charge("weights of the frozen layers", 1, head_->front_bytes());
  p.charge("features", 1, memory());
  const DeviceBatchFactory batch = feature_batches(o.order.batch);
  auto slots = p.pool<HostBatch>(
      "host batches", o.slots,
      HostBatchFactory{batch.sample, batch.dtype, batch.capacity,
                       [engine = o.engine](Bytes size) { return engine->host_buffer(size); },
                       batch.target_width});
  return p.source({.name = "features", .on = features_.in_file ? On::blocking : On::compute}, slots,
                  FeatureReader(std::move(order), kept_));
}

DeviceBatchFactory FeatureFeed::feature_batches(std::int64_t batch) const {
  DeviceBatchFactory batches = batches_on_device(batch);
  batches.sample = features_.front.features;
  batches.dtype = DType::f32;
  return batches;
}

UploadOptions FeatureFeed::upload() const {
  return {.batches = feature_batches(options().order.batch),
          .preprocessing = features_.front.head.preprocessing};
}

std::vector<Budget::Charge> FeatureFeed::device_memory(std::int64_t batch) const {
  return {{"device batches", kDeviceBatches, feature_batches(batch).device_bytes()}};
}

}  // namespace millrace

#include <millrace/training/resident_feed.h>

#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/replay.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

// Enough for what surrounds a step not to show beside the shortest ones, and few enough for the
// samples of a batch to stay small beside a GPU's memory.
constexpr std::uint64_t kMostSteps = 50;
constexpr Bytes kMostBytes = 64_MiB;

}  // namespace

void check_resident(bool has_own_memory, const AugmentOptions& augment) {
  if (!has_own_memory) {
    throw UsageError(
        "--resident keeps data in a GPU's memory, and this run computes on the CPU; choose the "
        "GPU, or leave --resident out");
  }
  if (augment.views > 0) {
    throw UsageError(
        "--resident changes samples again in each epoch, and --views keeps changes; leave one of "
        "them out");
  }
  if (!only_moves(augment)) {
    throw UsageError(
        "--resident keeps samples as they were decoded; in each epoch they can be flipped and "
        "cropped, and changed in no other way; leave --resident or the other options of "
        "augmentation out");
  }
}

ResidentFeed::ResidentFeed(FeedOptions feed, ResidentFeedOptions resident)
    : Feed(std::move(feed)), resident_(std::move(resident)) {
  const FeedOptions& o = options();
  check_resident(!o.engine->shares_host_memory(), moves());
  if (!moves().is_identity() && nn::needs_whole_samples(o.decoding.preprocessing)) {
    throw UsageError(
        "--resident keeps samples as the preprocessing of whole samples leaves them, which cannot "
        "be cropped or flipped before it; leave --resident or the augmentation out");
  }
  data_ = std::make_shared<ResidentData>(o.engine->resident_pixels(
      o.decoding.sample, batches_on_device(o.order.batch).dtype, samples()));
}

AugmentOptions ResidentFeed::moves() const {
  return options().decoding.augment.value_or(AugmentOptions{});
}

std::int64_t ResidentFeed::samples() const noexcept {
  return std::int64_t{options().training.size()} + options().validation.size();
}

Bytes ResidentFeed::row_bytes() const {
  const auto of = [](const SampleSet& set) {
    return set.size() == 0 ? std::uint64_t{0} : std::uint64_t{set.dataset->size()};
  };
  return {(of(options().training) + of(options().validation)) * sizeof(std::uint32_t)};
}

DeviceBatchFactory ResidentFeed::resident_batches(std::int64_t batch, std::uint32_t steps) const {
  DeviceBatchFactory batches = batches_on_device(batch);
  batches.capacity *= steps;
  batches.resident = data_->pixels;
  batches.moves = !moves().is_identity();
  return batches;
}

// A batch of several steps may end within a group of batches that a step learns from together.
std::uint32_t ResidentFeed::steps_together(std::int64_t batch) const {
  if (resident_.one_step_at_a_time || options().order.accumulate > 1) return 1;
  const std::uint64_t bytes = resident_batches(batch, 1).device_bytes().count;
  const std::uint64_t fitting = kMostBytes.count / std::max<std::uint64_t>(bytes, 1);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fitting, 1, kMostSteps));
}

std::uint32_t ResidentFeed::steps_together() const {
  return steps_together(options().order.batch);
}

UploadOptions ResidentFeed::upload() const {
  UploadOptions upload = Feed::upload();
  upload.batches = resident_batches(options().order.batch, steps_together());
  upload.moves = moves();
  upload.seed = options().decoding.seed;
  return upload;
}

std::vector<Budget::Charge> ResidentFeed::device_memory(std::int64_t batch) const {
  return {{"resident samples", 1, data_->pixels->bytes()},
          {"device batches", kDeviceBatches,
           resident_batches(batch, steps_together(batch)).device_bytes()}};
}

Report ResidentFeed::load(const Watch& watch) {
  DecodingOptions decoding = options().decoding;
  decoding.augment = AugmentOptions{};  // that is for each epoch anew
  ResidentData& data = *data_;
  data.rows = {};
  data.size = 0;
  data.pixels->allocate();
  Pipeline p = loading_pipeline();
  auto host = p.pool<HostBatch>("host batches", options().slots, batches_on_host());
  p.charge("rows of resident samples", 1, row_bytes());
  const ReaderOptions order{.batch = options().order.batch,
                            .shuffle = false,
                            .ticket_samples = options().order.ticket_samples};
  p.sink(add_reading(p, host, reader_in(order), decoding), {.name = "keep", .on = On::blocking},
         [keep = KeepResident(data_), &data, &watch](const Lease<HostBatch>& batch) mutable {
           keep(batch);
           if (watch.progress) watch.progress(static_cast<std::uint64_t>(data.size));
         });
  Report report = p.run(watch.stop);
  if (report.stopped) throw Stopped("stopped while the data was loaded");
  return report;
}

Stream<Lease<HostBatch>> ResidentFeed::add(Pipeline& p, const FeedStart& from) const {
  const std::uint32_t steps = steps_together();
  HostBatchFactory batch = batches_on_host();
  batch.capacity *= steps;
  DirectoryReader order = reader(from);
  charge_reading(p, order, nullptr);
  p.charge("rows of resident samples", 1, row_bytes());
  auto slots = p.pool<HostBatch>("host batches", options().slots, ReplaySlotFactory{batch});
  return p.source(
      {.name = "list"}, slots,
      ResidentReader(std::move(order), data_,
                     {.steps = steps, .steps_before = from.step, .stops = resident_.stops}));
}

std::string ResidentFeed::describe() const {
  return concat(with_commas(static_cast<std::uint64_t>(samples())), ' ',
                plural(samples(), "sample"), ", ", data_->pixels->bytes(), " in the GPU's memory");
}

std::string ResidentFeed::remark() const {
  return concat("data was resident: ", describe(),
                ", decoded once before the first epoch, which is not part of the times; at most ",
                steps_together(), ' ', plural(steps_together(), "step"), " in one go");
}

}  // namespace millrace

// The ways of feeding a training run, behind their one interface.

#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nn/reference/engine.h>
#include <millrace/training/augmented_samples.h>
#include <millrace/training/replay_feed.h>
#include <millrace/training/resident_feed.h>
#include <millrace/training/training_state.h>

#include <memory>
#include <vector>

using namespace millrace;
using Catch::Contains;

namespace {

const Shape kSample{4, 4, 1};

FeedOptions options(std::uint32_t samples = 22, std::uint32_t epochs = 2) {
  return {.training = SampleSet::all(std::make_shared<const Numbered>(samples, kSample)),
          .order = {.batch = 8, .epochs = epochs, .seed = 3},
          .decoding = {.sample = kSample},
          .engine = std::make_shared<const nn::ReferenceEngine>(),
          .threads = 2};
}

/// The first pixel of each sample that is fed, batch by batch, as a step sees it.
std::vector<std::vector<float>> fed(const Feed& feed, const FeedStart& from = {}) {
  std::vector<std::vector<float>> batches;
  Pipeline p{{.name = "look", .threads = 2}};
  p.sink(add_upload(p, feed.add(p, from), feed.upload()), {.name = "step", .on = On::engine},
         [&](const Lease<DeviceBatch>& batch) {
           batches.emplace_back();
           for (std::int64_t i = 0; i < batch->size; ++i) {
             batches.back().push_back(batch->input.as<float>()[static_cast<std::size_t>(16 * i)]);
           }
         });
  (void)p.run();
  return batches;
}

}  // namespace

TEST_CASE("files are fed epoch by epoch, and from the middle of a run on") {
  const FileFeed feed(options());
  CHECK(feed.updates() == 6);
  CHECK(feed.to_load().empty());
  CHECK(feed.steps_together() == 1);
  const auto all = fed(feed);
  REQUIRE(all.size() == 6);
  CHECK(all[0].size() == 8);
  CHECK(all[5].size() == 6);
  CHECK(all[0] != all[3]);  // another order
  const auto rest =
      fed(feed, {.position = {.epoch = 1, .step = 1, .pass = 1, .position = 8}, .step = 4});
  CHECK(rest == std::vector(all.begin() + 4, all.end()));
}

TEST_CASE("a replay feeds the first batches of what files would, over and over") {
  const auto files = fed(FileFeed(options()));
  ReplayFeed feed(options(), 2);
  std::uint64_t told = 0;
  CHECK(feed.load({[&](std::uint64_t count) { told = count; }, {}}).skipped.empty());
  CHECK(told == 16);
  const auto again = fed(feed);
  REQUIRE(again.size() == 6);
  for (std::size_t i = 0; i < again.size(); ++i) CHECK(again[i] == files[i % 2]);
  CHECK(feed.updates() == 6);
  CHECK_THAT(feed.describe(), Contains("the first 2 batches"));
  CHECK_THAT(feed.remark(), Contains("input replayed"));
}

TEST_CASE("a replay has no validation, and no more batches than an epoch") {
  FeedOptions with = options();
  with.validation = with.training;
  const ReplayFeed feed(with, 3);
  CHECK(feed.reader().validation_steps() == 0);
  CHECK(FileFeed(with).reader().validation_steps() == 3);
  CHECK_THROWS_WITH(ReplayFeed(options(), 4), Contains("an epoch has 3 batches"));
}

TEST_CASE("loading batches to replay ends where it is asked to") {
  ReplayFeed feed(options(), 2);
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(feed.load({{}, stop.get_token()}), Stopped);
}

TEST_CASE("resident samples need a device with memory of its own") {
  CHECK_THROWS_WITH(ResidentFeed(options()), Contains("computes on the CPU"));
}

TEST_CASE("updates are fewer than batches where several make one") {
  FeedOptions grouped = options();
  grouped.order.accumulate = 2;
  CHECK(FileFeed(grouped).updates() == 4);  // 3 batches an epoch, the last group is short
}

TEST_CASE("the first samples of a run are shown as the run will see them") {
  FeedOptions photos = options();
  photos.decoding.augment = AugmentOptions{.horizontal_flip = true};
  const ContactSheet sheet = augmented_samples(photos, 10);
  CHECK(sheet.height > 0);
  CHECK(sheet.width > 0);
  CHECK_THROWS_AS(
      [&] {
        std::stop_source stop;
        stop.request_stop();
        (void)augmented_samples(photos, 10, stop.get_token());
      }(),
      Stopped);
}

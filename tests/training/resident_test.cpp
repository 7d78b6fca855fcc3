#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/training/replay.h>
#include <millrace/training/resident.h>

#include <algorithm>
#include <cstring>

using namespace millrace;

namespace {

const Shape kSample{4, 4, 1};
constexpr std::int64_t kBatch = 8;

/// "Device memory" that can be looked at.
class LookedAt final : public nn::ResidentPixels {
 public:
  explicit LookedAt(std::int64_t samples) : samples_(samples) {}
  [[nodiscard]] Bytes bytes() const override { return Bytes{static_cast<std::uint64_t>(size())}; }
  void allocate() override { memory_.resize(size()); }
  void write(std::int64_t first, ConstTensorView pixels) override {
    const auto begin = static_cast<std::size_t>(first * kSample.elements());
    REQUIRE(begin + pixels.bytes() <= memory_.size());
    std::memcpy(memory_.data() + begin, pixels.data, pixels.bytes());
    written_ += pixels.shape[0];
  }
  [[nodiscard]] bool holds(std::uint32_t row, std::uint32_t sample) const {
    const auto n = static_cast<std::size_t>(kSample.elements());
    for (std::size_t i = 0; i < n; ++i) {
      if (memory_.at(row * n + i) != Numbered::pixel(sample, i)) return false;
    }
    return true;
  }
  [[nodiscard]] std::int64_t written() const { return written_; }

 private:
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(samples_ * kSample.elements());
  }
  std::int64_t samples_, written_ = 0;
  std::vector<std::uint8_t> memory_;
};

struct Sets {
  SampleSet training, validation;
};

/// 30 samples to train on and 11 to validate on, of one data set.
Sets sets_of(const std::set<std::uint32_t>& bad) {
  const auto data = std::make_shared<const Numbered>(41, kSample, bad);
  Sets sets{SampleSet::all(data), SampleSet::all(data)};
  sets.training.samples.clear();
  sets.validation.samples.clear();
  for (std::uint32_t i = 0; i < 41; ++i) {
    (i % 4 == 3 || i == 0 ? sets.validation : sets.training).samples.push_back(i);
  }
  return sets;
}

/// Reading without augmentation.
Stream<Lease<HostBatch>> add_reading(Pipeline& p, const Sets& sets, const ReaderOptions& options) {
  auto host = p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = kSample, .capacity = kBatch});
  auto tickets =
      p.source({.name = "list"}, host, DirectoryReader(sets.training, sets.validation, options));
  const auto& data = sets.training.dataset;
  auto pixels = p.then(tickets, {.name = "decode", .on_error = skip()},
                       DecodeInto(data, data, Filter::nearest));
  return p.then(p.gather(pixels), {.name = "batch"}, Batcher{});
}

std::shared_ptr<ResidentData> loaded(const Sets& sets) {
  const auto data = std::make_shared<ResidentData>(std::make_shared<LookedAt>(41));
  data->pixels->allocate();
  Pipeline p{{.name = "load", .threads = 2}};
  p.sink(add_reading(p, sets, {.batch = kBatch, .shuffle = false}), {.name = "keep"},
         KeepResident(data));
  (void)p.run();
  return data;
}

/// One step of one phase.
struct Step {
  Phase phase{};
  std::uint32_t epoch = 0, step = 0;
  std::vector<std::uint32_t> samples{};  // numbers in the data set
  std::vector<std::int32_t> labels{};
  std::vector<float> weights{};
  std::vector<std::uint32_t> passes{};
  std::vector<std::uint64_t> positions{};
  friend bool operator==(const Step&, const Step&) = default;
};

struct Seen {
  std::vector<Step> steps;
  std::vector<BatchTag> tags;  // a batch
  std::vector<std::uint32_t> first_passes;
  std::int64_t holes = 0;
};

/// Rows [first, first + count) of a batch.
Step step_of(const HostBatch& batch, std::uint32_t number, std::int64_t first, std::int64_t count) {
  const auto part = [&]<class T>(const std::vector<T>& values) {
    return std::vector<T>(values.begin() + first, values.begin() + first + count);
  };
  return {batch.tag.phase,    batch.tag.epoch,      number,
          part(batch.index),  part(batch.labels),   part(batch.weights),
          part(batch.passes), part(batch.positions)};
}

Seen see(Pipeline& p, Stream<Lease<HostBatch>> batches) {
  Seen seen;
  p.sink(batches, {.name = "see"}, [&seen](const Lease<HostBatch>& batch) {
    const BatchTag& tag = batch->tag;
    const std::int64_t rows = tag.rows == 0 ? batch->size : tag.rows;
    for (std::uint32_t i = 0; i < tag.count; ++i) {
      const std::int64_t first = std::min(i * rows, batch->size);
      seen.steps.push_back(
          step_of(*batch, tag.step + i, first, std::min(rows, batch->size - first)));
    }
    seen.tags.push_back(tag);
    seen.first_passes.push_back(batch->size > 0 ? batch->passes[0] : 0);
    seen.holes += batch->holes;
  });
  (void)p.run();
  return seen;
}

Seen read(const Sets& sets, const ReaderOptions& options) {
  Pipeline p{{.name = "read", .threads = 2}};
  return see(p, add_reading(p, sets, options));
}

/// The same by rows; each row must hold the pixels of one sample, whose number is put there.
Seen resident(const Sets& sets, const std::shared_ptr<ResidentData>& data,
              const ReaderOptions& options, const ResidentOptions& how) {
  Pipeline p{{.name = "resident", .threads = 2}};
  auto slots = p.pool<HostBatch>(
      "host", 2,
      ReplaySlotFactory{{.sample = kSample, .capacity = kBatch * std::int64_t{how.steps}}});
  Seen seen =
      see(p, p.source({.name = "list"}, slots,
                      ResidentReader({sets.training, sets.validation, options}, data, how)));
  const auto& pixels = dynamic_cast<const LookedAt&>(*data->pixels);
  for (Step& step : seen.steps) {
    for (std::uint32_t& row : step.samples) {
      std::uint32_t sample = 0;
      while (sample < 41 && !pixels.holds(row, sample)) ++sample;
      row = sample;
    }
  }
  return seen;
}

/// An epoch is a pass of 30, or steps of an endless stream.
std::vector<ReaderOptions> ways_to_read() {
  return {{.batch = kBatch, .epochs = 3, .seed = 4},
          {.batch = kBatch, .epochs = 2, .shuffle = false, .class_weights = {1, 3}},
          {.batch = kBatch, .epochs = 2, .limit_batches = 3, .seed = 4},
          {.batch = kBatch, .epochs = 3, .steps_per_epoch = 7, .seed = 5}};
}

const std::set<std::uint32_t> kBad{1, 2, 3, 17, 40};

}  // namespace

TEST_CASE("each sample is written once, to the row that is kept for it") {
  const Sets sets = sets_of(kBad);
  const auto data = loaded(sets);
  const auto& pixels = dynamic_cast<const LookedAt&>(*data->pixels);
  CHECK(pixels.written() == 41 - 5);
  CHECK(data->size == 41 - 5);
  for (const Phase phase : {Phase::training, Phase::validation}) {
    const SampleSet& set = phase == Phase::training ? sets.training : sets.validation;
    const std::vector<std::uint32_t>& rows = data->of(phase);
    for (const std::uint32_t sample : set.samples) {
      INFO("sample " << sample);
      const std::uint32_t row = sample < rows.size() ? rows[sample] : ResidentData::kNoRow;
      if (kBad.count(sample) > 0)
        CHECK(row == ResidentData::kNoRow);
      else
        CHECK(pixels.holds(row, sample));
    }
  }
}

TEST_CASE("resident steps are those of a run that reads, whatever goes together") {
  for (const std::set<std::uint32_t>& bad : {std::set<std::uint32_t>{}, kBad}) {
    const Sets sets = sets_of(bad);
    const auto data = loaded(sets);
    for (const ReaderOptions& options : ways_to_read()) {
      const Seen expected = read(sets, options);
      for (const std::uint32_t steps : {1U, 2U, 3U, 50U}) {
        CAPTURE(bad.size(), options.steps_per_epoch, options.limit_batches, steps);
        const Seen got = resident(sets, data, options, {.steps = steps});
        CHECK(got.steps == expected.steps);
        CHECK(got.holes == expected.holes);
        CHECK(got.tags.back().ends_run);
      }
    }
  }
}

TEST_CASE("a batch holds steps of one phase and one pass, and its end is that of its last step") {
  const Sets sets = sets_of({});
  const auto data = loaded(sets);
  for (const ReaderOptions& options : ways_to_read()) {
    const Seen single = read(sets, options);
    const Seen got = resident(sets, data, options, {.steps = 3});
    std::size_t step = 0;
    for (std::size_t i = 0; i < got.tags.size(); ++i) {
      const BatchTag& tag = got.tags[i];
      CAPTURE(options.steps_per_epoch, i, tag.count);
      CHECK(tag.count >= 1);
      CHECK(tag.count <= (tag.phase == Phase::training ? 3 : 1));
      CHECK(tag.rows == kBatch);
      const BatchTag& last = single.tags[step + tag.count - 1];
      for (std::size_t k = 0; k < tag.count; ++k) {
        CHECK(single.tags[step + k].phase == tag.phase);
        CHECK(single.tags[step + k].epoch == tag.epoch);
        CHECK(single.steps[step + k].passes[0] == got.first_passes[i]);
      }
      CHECK(tag.ends_phase == last.ends_phase);
      CHECK(tag.ends_epoch == last.ends_epoch);
      CHECK(tag.ends_run == last.ends_run);
      CHECK(tag.next == last.next);
      step += tag.count;
    }
    CHECK(step == single.tags.size());
  }
}

TEST_CASE("a batch ends where something is to act, counted over all training steps") {
  const Sets sets = sets_of({});  // 30 samples: 4 training steps an epoch, 2 of validation
  const auto data = loaded(sets);
  const auto sizes = [&](const ResidentOptions& how) {
    const Seen seen = resident(sets, data, {.batch = kBatch, .epochs = 3, .seed = 4}, how);
    std::vector<std::uint32_t> counts;
    for (const BatchTag& tag : seen.tags) {
      if (tag.phase == Phase::training) counts.push_back(tag.count);
    }
    return counts;
  };
  using Counts = std::vector<std::uint32_t>;
  CHECK(sizes({.steps = 50}) == Counts{4, 4, 4});
  CHECK(sizes({.steps = 3}) == Counts{3, 1, 3, 1, 3, 1});
  CHECK(sizes({.steps = 50, .stops = {5, 0}}) == Counts{4, 1, 3, 2, 2});
  CHECK(sizes({.steps = 50, .steps_before = 3, .stops = {5, 7}}) == Counts{2, 2, 3, 1, 3, 1});
  CHECK(sizes({.steps = 50, .stops = {1}}) == Counts(12, 1));
}

TEST_CASE("resident batches that start in the middle are the rest of the whole run") {
  const Sets sets = sets_of(kBad);
  const auto data = loaded(sets);
  for (ReaderOptions options : ways_to_read()) {
    const Seen all = read(sets, options);
    for (const std::size_t trained : {2U, 5U, 9U}) {
      options.start = all.tags[trained - 1].next;
      const Seen rest = resident(sets, data, options, {.steps = 3});
      CAPTURE(options.steps_per_epoch, trained);
      CHECK(rest.steps ==
            std::vector<Step>(all.steps.begin() + static_cast<std::ptrdiff_t>(trained),
                              all.steps.end()));
    }
  }
}

TEST_CASE("steps whose samples are all left out are in a batch and take no room there") {
  std::set<std::uint32_t> bad;
  for (std::uint32_t i = 0; i < 41; ++i) {
    if (i < 12 || i > 30) bad.insert(i);
  }
  const Sets sets = sets_of(bad);
  const auto data = loaded(sets);
  const ReaderOptions options{.batch = kBatch, .epochs = 2, .shuffle = false};
  const Seen expected = read(sets, options);
  const Seen got = resident(sets, data, options, {.steps = 50});
  CHECK(got.steps == expected.steps);
  CHECK(std::any_of(got.steps.begin(), got.steps.end(),
                    [](const Step& step) { return step.samples.empty(); }));
}

TEST_CASE("resident batches end when somebody else says that training is finished") {
  const Sets sets = sets_of({});
  const auto finished = std::make_shared<std::atomic<bool>>(true);
  CHECK(resident(sets, loaded(sets), {.batch = kBatch, .finished = finished}, {.steps = 3})
            .tags.empty());
  CHECK_THROWS_AS(ResidentReader({sets.training, {}, {}}, nullptr, {.steps = 0}), UsageError);
}

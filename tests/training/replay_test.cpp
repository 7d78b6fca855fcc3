#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/cpu/engine.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/training/replay.h>
#include <millrace/training/train_step.h>

#include <algorithm>

using namespace millrace;
using Catch::Contains;

namespace {

const HostBatchFactory kHost{.sample = {4, 4, 1}, .capacity = 8};

/// The samples of kept batches as a data set, in their order.
class Recorded final : public Dataset {
 public:
  explicit Recorded(const KeptBatches& kept) {
    for (const Lease<HostBatch>& batch : kept) {
      for (std::int64_t row = 0; row < batch->size; ++row) {
        const auto pixels = batch->row(row).as<std::uint8_t>();
        images_.emplace_back(pixels.begin(), pixels.end());
        labels_.push_back(batch->labels[static_cast<std::size_t>(row)]);
      }
    }
  }
  [[nodiscard]] std::uint32_t size() const noexcept override {
    return static_cast<std::uint32_t>(labels_.size());
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override { return labels_[index]; }
  [[nodiscard]] std::string name(std::uint32_t index) const override {
    return std::to_string(index);
  }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return kHost.sample; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    std::copy(images_[index].begin(), images_[index].end(), target.as<std::uint8_t>().begin());
  }

 private:
  std::vector<std::vector<std::uint8_t>> images_;
  std::vector<int> labels_;
  std::vector<std::string> classes_{"dark", "light"};
};

/// Reading without augmentation or shuffle.
Stream<Lease<HostBatch>> add_reading(Pipeline& p, const std::shared_ptr<const Dataset>& data,
                                     const ReaderOptions& options, int slots,
                                     const AugmentOptions& augment = {}) {
  auto host = p.pool<HostBatch>("host", slots, kHost);
  auto tickets =
      p.source({.name = "list"}, host, DirectoryReader(SampleSet::all(data), {}, options));
  auto pixels = p.then(tickets, {.name = "decode", .on_error = skip()},
                       DecodeInto(data, data, Filter::nearest));
  return p.then(p.gather(p.then(pixels, {.name = "augment"}, Augment(augment, 5))),
                {.name = "batch"}, Batcher{});
}

/// The first `count` batches of 22 samples, shuffled and flipped.
std::shared_ptr<KeptBatches> keep(std::uint32_t count, const std::set<std::uint32_t>& bad = {}) {
  const auto kept = std::make_shared<KeptBatches>();
  Pipeline p{{.name = "keep", .threads = 2}};
  const auto data = std::make_shared<const Numbered>(22, kHost.sample, bad);
  p.sink(add_reading(p, data, {.batch = 8, .limit_batches = count, .seed = 4},
                     static_cast<int>(count), {.horizontal_flip = true}),
         {.name = "keep"}, KeepBatches(kept));
  (void)p.run();
  return kept;
}

struct Seen {
  BatchTag tag;
  const std::byte* memory;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> passes;
  std::vector<std::uint64_t> positions;
};

Stream<Lease<HostBatch>> add_replay(Pipeline& p, const std::shared_ptr<KeptBatches>& kept,
                                    const ReplayOptions& options) {
  auto slots = p.pool<HostBatch>("host", 3, ReplaySlotFactory{kHost});
  return p.source({.name = "replay"}, slots, Replay(kept, options));
}

std::vector<Seen> see(Pipeline& p, Stream<Lease<HostBatch>> batches) {
  std::vector<Seen> seen;
  p.sink(batches, {.name = "see"}, [&seen](const Lease<HostBatch>& batch) {
    const auto n = batch->size;
    const auto pixels = batch->rows().as<std::uint8_t>();
    seen.push_back({batch->tag,
                    batch->pixels.data(),
                    {pixels.begin(), pixels.end()},
                    {batch->labels.begin(), batch->labels.begin() + n},
                    {batch->passes.begin(), batch->passes.begin() + n},
                    {batch->positions.begin(), batch->positions.begin() + n}});
  });
  (void)p.run();
  return seen;
}

std::vector<Seen> replayed(const std::shared_ptr<KeptBatches>& kept, const ReplayOptions& options) {
  Pipeline p{{.name = "replay", .threads = 2}};
  return see(p, add_replay(p, kept, options));
}

/// The weights after a training with dropout over batches that `add` feeds.
template <class Add>
std::vector<float> trained(Add add) {
  const nn::Model model = nn::ModelBuilder("test", kHost.sample)
                              .flatten()
                              .dense(6)
                              .relu()
                              .dropout(0.3F)
                              .dense(1)
                              .sigmoid()
                              .build();
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  Pipeline p{{.name = "train", .threads = 2}};
  const auto executor =
      make_executor(p, *engine, model,
                    {.batch = 8,
                     .other_batches = {6, 7},
                     .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.01},
                     .seed = 11},
                    2);
  auto device =
      p.pool<DeviceBatch>("device", 2, DeviceBatchFactory{engine, model.input, DType::u8, 8});
  auto copied =
      p.then(p.with(add(p), {.name = "slot"}, device), {.name = "copy"}, CopyToDevice(engine));
  auto inputs = p.then(copied, {.name = "cast"}, Cast(model.preprocessing, model.input));
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  p.sink(steps, {.name = "drop"}, [](const auto&) {});
  (void)p.run();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  executor->read(nn::Arena::parameters, weights);
  return weights;
}

}  // namespace

TEST_CASE("replayed batches come in order, with the steps of the epochs and rounds as passes") {
  const auto kept = keep(3);  // of 8, 8 and 6 samples
  const std::vector<Seen> seen = replayed(kept, {.epochs = 2, .steps = 4});
  REQUIRE(seen.size() == 8);
  for (std::size_t g = 0; g < seen.size(); ++g) {
    INFO("batch " << g);
    const HostBatch& original = *(*kept)[g % 3];
    CHECK(seen[g].memory == original.pixels.data());  // nothing is copied
    CHECK(std::equal(seen[g].labels.begin(), seen[g].labels.end(), original.labels.begin()));
    CHECK(seen[g].tag.epoch == g / 4);
    CHECK(seen[g].tag.step == g % 4);
    CHECK(seen[g].tag.steps == 4);
    CHECK(seen[g].tag.ends_epoch == (g % 4 == 3));
    CHECK(seen[g].tag.ends_phase == (g % 4 == 3));
    CHECK(seen[g].tag.ends_run == (g == 7));
    CHECK(seen[g].passes.front() == g / 3);
    CHECK(seen[g].positions.front() == 8 * (g % 3));
    CHECK(seen[g].positions.back() == seen[g].positions.front() + seen[g].labels.size() - 1);
  }
  CHECK(seen[6].labels.size() == 8);
  CHECK(seen[5].labels.size() == 6);
}

TEST_CASE("what follows a replay sees the batches of a data set that holds just those samples") {
  const auto kept = keep(3);
  const std::vector<Seen> again = replayed(kept, {.epochs = 4, .steps = 3});
  Pipeline p{{.name = "read", .threads = 2}};
  const std::vector<Seen> read =
      see(p, add_reading(p, std::make_shared<const Recorded>(*kept),
                         {.batch = 8, .epochs = 4, .shuffle = false}, 3));
  REQUIRE(again.size() == read.size());
  for (std::size_t g = 0; g < read.size(); ++g) {
    CHECK(again[g].pixels == read[g].pixels);
    CHECK(again[g].labels == read[g].labels);
    CHECK(again[g].passes == read[g].passes);
    CHECK(again[g].positions == read[g].positions);
    CHECK(again[g].tag.next == read[g].tag.next);
  }
}

TEST_CASE("training over replayed batches gives the weights of a data set of them, to the bit") {
  const auto kept = keep(3);
  const auto data = std::make_shared<const Recorded>(*kept);
  const auto from_replay =
      trained([&](Pipeline& p) { return add_replay(p, kept, {.epochs = 2, .steps = 6}); });
  const auto from_data = trained([&](Pipeline& p) {
    return add_reading(p, data, {.batch = 8, .epochs = 4, .shuffle = false}, 3);
  });
  CHECK(from_replay == from_data);
}

TEST_CASE("a replay that starts in the middle feeds what the whole one would have fed from there") {
  const auto kept = keep(3);
  const std::vector<Seen> all = replayed(kept, {.epochs = 3, .steps = 5});
  const std::vector<Seen> rest =
      replayed(kept, {.epochs = 3, .steps = 5, .start = all[6].tag.next});
  REQUIRE(rest.size() == 8);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    CHECK(rest[i].pixels == all[7 + i].pixels);
    CHECK(rest[i].passes == all[7 + i].passes);
    CHECK(rest[i].positions == all[7 + i].positions);
    CHECK(rest[i].tag.next == all[7 + i].tag.next);
  }
}

TEST_CASE("batches that lost samples are replayed without them") {
  const auto kept = keep(3, {1, 2, 3});
  const std::vector<Seen> seen = replayed(kept, {.epochs = 1, .steps = 6});
  std::size_t samples = 0;
  for (const Seen& batch : seen) samples += batch.labels.size();
  CHECK(samples == 2 * 19);
}

TEST_CASE("a slot for replays charges its labels, not the pixels that it borrows") {
  CHECK(ReplaySlotFactory{kHost}.bytes().count == kHost.bytes().count - 8 * 16);
  HostBatchFactory floats = kHost;
  floats.dtype = DType::f32;
  CHECK(ReplaySlotFactory{floats}.bytes() == ReplaySlotFactory{kHost}.bytes());
}

TEST_CASE("a replay without batches and a start that there is not are refused") {
  const auto none = std::make_shared<KeptBatches>();
  CHECK_THROWS_WITH(replayed(none, {.steps = 2}), Contains("no batch was kept"));
  CHECK_THROWS_WITH(Replay(none, {.steps = 2, .start = {.step = 2}}),
                    Contains("there is no batch 3 of epoch 1"));
  CHECK_THROWS_AS(Replay(none, {.steps = 2, .start = {.phase = Phase::validation}}), Error);
  CHECK_THROWS_AS(Replay(none, {.steps = 0}), UsageError);
}

TEST_CASE("a replay ends when somebody else says that training is finished") {
  const auto finished = std::make_shared<std::atomic<bool>>(true);
  CHECK(replayed(keep(1), {.epochs = 1, .steps = 5, .finished = finished}).empty());
}

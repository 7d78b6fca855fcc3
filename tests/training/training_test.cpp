// The training pipeline as a whole, from a data set to weights.

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
#include <millrace/training/logger.h>
#include <millrace/training/take_snapshot.h>
#include <millrace/training/train_step.h>

using namespace millrace;

namespace {

const std::vector<nn::Arena> kArenas = {nn::Arena::parameters, nn::Arena::state0,
                                        nn::Arena::state1};

struct Trained {
  std::vector<float> weights;
  std::vector<std::uint8_t> pixels;  // of all training batches, in order
  std::vector<EpochRecord> epochs;
  Report report;
};

Trained train(int threads, const std::set<std::uint32_t>& bad = {}, std::uint32_t epochs = 4) {
  const auto data = std::make_shared<const Numbered>(330, Shape{6, 6, 1}, bad);
  const nn::Model model = nn::ModelBuilder("test", {6, 6, 1})
                              .conv(4)
                              .relu()
                              .max_pool()
                              .flatten()
                              .dropout(0.2F)
                              .dense(1)
                              .sigmoid()
                              .build();
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  DirectoryReader reader(SampleSet::all(data), SampleSet::all(data),
                         {.batch = 32, .epochs = epochs, .seed = 9, .ticket_samples = 5});
  Trained outcome;
  Pipeline p{{.name = "train", .threads = threads}};
  const auto executor =
      make_executor(p, *engine, model,
                    {.batch = 32,
                     .other_batches = reader.short_batches(),
                     .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.01}},
                    2);
  outcome.weights.resize(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = model.input, .capacity = 32});
  auto device =
      p.pool<DeviceBatch>("device", 2, DeviceBatchFactory{engine, model.input, DType::u8, 32});
  const auto state = std::make_shared<TrainingState>(executor, kArenas);
  auto snapshots = p.pool<Snapshot>("snapshot", 1, SnapshotFactory{state, {}});
  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = skip()},
                       DecodeInto(data, data, Filter::nearest));
  auto augmented = p.then(pixels, {.name = "augment", .concurrency = kAllThreads},
                          Augment({.horizontal_flip = true, .crop_padding = 1}, 9));
  auto batches = p.then(p.gather(augmented), {.name = "batch"}, Batcher{});
  auto copied =
      p.then(p.with(batches, {.name = "slot"}, device), {.name = "copy"}, CopyToDevice(engine));
  auto kept = p.then(copied, {.name = "keep"}, [&](const Lease<DeviceBatch>& batch) {
    if (batch->tag.phase == Phase::training) {
      const auto rows = batch->host->rows().as<std::uint8_t>();
      outcome.pixels.insert(outcome.pixels.end(), rows.begin(), rows.end());
    }
    return batch;
  });
  auto inputs = p.then(kept, {.name = "cast"}, Cast(model.preprocessing, model.input));
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(state));
  auto copies =
      p.then(steps, {.name = "snapshot", .on = On::engine}, TakeSnapshot(state, {}, snapshots));
  std::vector<float> last_snapshot;
  p.sink(copies, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord& r) { outcome.epochs.push_back(r); },
                 .on_snapshot =
                     [&](const Snapshot& s, const StepRecord&) {
                       last_snapshot.assign(s.parameters().begin(), s.parameters().end());
                     }}));
  outcome.report = p.run();
  executor->read(nn::Arena::parameters, outcome.weights);
  CHECK(last_snapshot == outcome.weights);
  return outcome;
}

}  // namespace

TEST_CASE("training through the graph learns, and validates after each epoch") {
  const Trained outcome = train(2);
  REQUIRE(outcome.epochs.size() == 4);
  CHECK(outcome.epochs.back().training.samples == 330);
  CHECK(outcome.epochs.back().validation->samples == 330);
  CHECK(outcome.epochs.back().training.mean_loss() < outcome.epochs.front().training.mean_loss());
  CHECK(outcome.epochs.back().validation->accuracy() > 0.95);
  CHECK(outcome.epochs.back().global_step == 4 * 11);
}

TEST_CASE("the same seed gives the same batches and the same weights to the bit for any threads") {
  const Trained one = train(1);
  for (const int threads : {2, 8}) {
    const Trained more = train(threads);
    CHECK(more.pixels == one.pixels);
    CHECK(more.weights == one.weights);
  }
}

TEST_CASE("a batch that loses samples to skip still arrives with the others") {
  std::set<std::uint32_t> bad = {0, 17, 18, 200, 329};
  const Trained outcome = train(4, bad, 2);
  for (const EpochRecord& epoch : outcome.epochs) {
    CHECK(epoch.training.samples == 325);
    CHECK(epoch.validation->samples == 325);
    CHECK(epoch.holes == 10);
  }
  CHECK(outcome.report.stage("decode").skipped == 20);
  CHECK(outcome.epochs.size() == 2);
}

TEST_CASE("an epoch of which every sample is bad ends the run") {
  std::set<std::uint32_t> all;
  for (std::uint32_t i = 0; i < 330; ++i) all.insert(i);
  CHECK_THROWS_WITH(train(2, all, 2), "train: no training sample could be read in epoch 1");
}

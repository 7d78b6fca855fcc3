// Shapes that are drawn while a model learns to distinguish them: there is no data set. What you
// learn: an endless coroutine as the source of a training, a function that draws each sample into
// its row with the row's own random numbers, validation on a stream that ends, augmentation.

#include <millrace/cpu/engine.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/each_row.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <algorithm>
#include <cmath>
#include <iostream>

using namespace millrace;

constexpr int kSide = 24, kKinds = 3;
constexpr std::int64_t kBatch = 32;

/// Kinds of shapes in turn, `end` of them; -1: without end.
Generator<int> kinds(std::int64_t end = -1) {
  for (std::int64_t i = 0; i != end; ++i) co_yield static_cast<int>(i % kKinds);
}

/// A disc, a square or a diamond somewhere in noise.
void draw(int kind, Row row) {
  Random random = row.random();
  const double radius = random.uniform(4, 8), light = random.uniform(60, 180);
  const double y = random.uniform(8, kSide - 8), x = random.uniform(8, kSide - 8);
  int i = 0;
  for (std::uint8_t& pixel : row.pixels()) {
    const double dy = std::abs(i / kSide - y), dx = std::abs(i % kSide - x);
    const double distance = kind == 0 ? std::hypot(dx, dy) : kind == 1 ? std::max(dx, dy) : dx + dy;
    pixel = static_cast<std::uint8_t>((distance < radius ? light : 0) + random.uniform(0, 70));
    ++i;
  }
  row.label(kind);
}

int main() {
  const Shape sample{kSide, kSide, 1};
  const nn::Model model = nn::zoo_model("cnn:8,16:32", sample, kKinds);
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();

  Pipeline p{{.name = "shapes", .budget = 128_MiB}};
  const auto executor = make_executor(
      p, *engine, model, {.batch = kBatch, .optimizer = {.kind = nn::OptimizerKind::adam}}, 1);
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = sample, .capacity = kBatch});
  const auto stream = [](Phase phase, std::uint32_t) {
    return kinds(phase == Phase::training ? -1 : 300);
  };
  auto rows = p.source("kinds", host, Streamed(stream, {.epochs = 6, .steps_per_epoch = 150}));
  auto drawn = p.then(rows, {.name = "draw", .concurrency = kAllThreads}, EachRow(draw));
  auto changed = p.then(drawn, {.name = "augment", .concurrency = kAllThreads},
                        Augment({.horizontal_flip = true, .crop_padding = 2}, 1, sample));
  auto batches = p.then(p.gather(changed), "batch", Batcher{});
  auto inputs = add_upload(p, batches,
                           {.batches = {.engine = engine, .sample = sample, .capacity = kBatch},
                            .preprocessing = model.preprocessing});
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  double accuracy = 0;
  p.sink(steps, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord& epoch) {
           accuracy = epoch.validation->accuracy();
           std::cout << "epoch " << epoch.epoch + 1 << ": right " << 100 * accuracy << " %\n";
         }}));
  std::cout << p.plan() << p.run();
  return accuracy > 0.9 ? 0 : 1;
}

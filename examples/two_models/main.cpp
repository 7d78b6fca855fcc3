// Two models learn from the same batches at once, while thumbnails are written. What you learn: a
// stream with several consumers, a lane for each model, so that neither waits for the other's
// steps, and a sink that may wait for the disk without delaying the training.

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/image/resize.h>
#include <millrace/io/class_folder.h>
#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/nodes/add_decoding.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <array>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>

using namespace millrace;

constexpr int kSide = 24, kThumbnail = 12;
constexpr std::int64_t kBatch = 16;

/// 128 images, of a bright square in the upper or in the lower half.
std::filesystem::path draw_squares() {
  const std::filesystem::path root = "squares";
  for (const bool is_low : {false, true}) {
    create_folders(root / (is_low ? "low" : "high"));
    for (std::uint64_t i = 0; i < 64; ++i) {
      Random random(1, is_low, i, Purpose::synthetic);
      const auto x = static_cast<int>(random.below(kSide - 6)),
                 y = static_cast<int>(random.below(6)) + (is_low ? kSide / 2 : 0);
      std::vector<std::uint8_t> pixels(kSide * kSide);
      for (int k = 0; k < kSide * kSide; ++k) {
        const int row = k / kSide - y, column = k % kSide - x;
        const bool is_inside = row >= 0 && row < 6 && column >= 0 && column < 6;
        pixels[static_cast<std::size_t>(k)] =
            static_cast<std::uint8_t>((is_inside ? 150 : 0) + random.below(100));
      }
      write_file(root / (is_low ? "low" : "high") / (std::to_string(i) + ".png"),
                 encode_png({pixels.data(), kSide, kSide, 1}));
    }
  }
  return root;
}

/// Copy, cast and training steps of one model, on a lane of its own.
void add_model(Pipeline& p, Stream<Lease<HostBatch>> batches, const nn::Model& model,
               const std::shared_ptr<const nn::Engine>& engine, double& accuracy) {
  const std::string& name = model.name;
  const auto executor = make_executor(
      p, *engine, model,
      {.batch = kBatch, .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.003}}, 1);
  auto device = p.pool<DeviceBatch>(
      name + " batches", 2,
      DeviceBatchFactory{.engine = engine, .sample = model.input, .capacity = kBatch});
  auto copied =
      p.then(p.with(batches, name + " slot", device), name + " copy", CopyToDevice(engine));
  auto inputs = p.then(copied, name + " cast", Cast(model.preprocessing, model.input));
  auto steps = p.then(inputs, {.name = name + " train", .on = On::engine, .lane = name},
                      TrainStep(executor));
  p.sink(steps, {.name = name + " log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord& r) { accuracy = r.validation->accuracy(); }}));
}

/// Writes each image of the first validation, small.
void write_thumbnails(const HostBatch& batch) {
  if (batch.tag.phase != Phase::validation || batch.tag.epoch > 0) return;
  Resizer resizer;
  std::array<std::uint8_t, kThumbnail * kThumbnail> small{};
  const auto rows = batch.rows().as<std::uint8_t>();
  for (std::int64_t i = 0; i < batch.size; ++i) {
    const auto row = rows.subspan(static_cast<std::size_t>(i) * kSide * kSide, kSide * kSide);
    resizer.resize({row.data(), kSide, kSide, 1}, {small.data(), kThumbnail, kThumbnail, 1},
                   Filter::bilinear);
    write_file(std::filesystem::path("thumbnails") /
                   (std::to_string(batch.index[static_cast<std::size_t>(i)]) + ".png"),
               encode_png({small.data(), kThumbnail, kThumbnail, 1}));
  }
}

int main() {
  const auto folder = std::make_shared<const ClassFolder>(draw_squares());
  create_folders("thumbnails");
  // One thread a model: the two lanes work at the same time.
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  const Shape sample{kSide, kSide, 1};
  std::map<std::string, double> accuracy;

  Pipeline p{{.name = "models", .budget = 256_MiB}};
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = sample, .capacity = kBatch});
  auto batches = add_decoding(p, host,
                              DirectoryReader(SampleSet::all(folder), SampleSet::all(folder),
                                              {.batch = kBatch, .epochs = 8}),
                              {.sample = sample, .decoder = decoders_within(256_MiB, 0)});
  const nn::ModelBuilder dense =
      nn::ModelBuilder("dense", sample).flatten().dense(32).relu().dense(1).sigmoid();
  const nn::ModelBuilder convnet = nn::ModelBuilder("convnet", sample)
                                       .conv(4, 3)
                                       .relu()
                                       .max_pool(2)
                                       .flatten()
                                       .dense(1)
                                       .sigmoid();
  for (const nn::Model& model : {dense.build(), convnet.build()}) {
    add_model(p, batches, model, engine, accuracy[model.name]);
  }
  p.sink(batches, {.name = "thumbnails", .on = On::blocking},
         [](const Lease<HostBatch>& batch) { write_thumbnails(*batch); });
  std::cout << p.plan() << p.run();
  for (const auto& [name, share] : accuracy) std::cout << name << ": accuracy " << share << '\n';
  return accuracy["dense"] > 0.9 && accuracy["convnet"] > 0.9 ? 0 : 1;
}

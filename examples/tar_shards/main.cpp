// Tar shards read by another library, file after file: a pattern for data that Millrace does not
// read itself. (It does read tar shards: millrace/io/tar_shards.h.) What you learn: a coroutine
// over a reader as a source, shards in another order and shuffled samples in each epoch, bytes of
// files in the budget, decoding by several threads, and leaving out files that cannot be decoded.
//
//   tar_shards [TRAIN.tar... VALIDATION.tar]     of NAME.jpg (.png, ...) each before its NAME.cls

#include "drawn_shards.h"

#include <millrace/cpu/engine.h>
#include <millrace/io/decode.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/each_row.h>
#include <millrace/pipeline/shuffled.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <archive.h>
#include <archive_entry.h>

#include <iostream>

using namespace millrace;

constexpr std::int64_t kBatch = 32, kClasses = 10;

struct File {
  std::string name, bytes;
  int label = -1;
};

Generator<File> read_tar(std::string shard) {
  const std::unique_ptr<archive, int (*)(archive*)> tar(archive_read_new(), archive_read_free);
  const auto check = [&](bool is_fine) {
    if (!is_fine) throw Error(concat(shard, ": ", archive_error_string(tar.get())));
  };
  archive_read_support_format_tar(tar.get());
  archive_read_support_filter_gzip(tar.get());
  check(archive_read_open_filename(tar.get(), shard.c_str(), 1 << 16) == ARCHIVE_OK);
  File image;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(tar.get(), &entry) != ARCHIVE_EOF) {
    check(archive_errno(tar.get()) == 0);
    File file{shard + ':' + archive_entry_pathname(entry), {}, -1};
    file.bytes.resize(static_cast<std::size_t>(archive_entry_size(entry)));
    const la_ssize_t read = archive_read_data(tar.get(), file.bytes.data(), file.bytes.size());
    check(read == static_cast<la_ssize_t>(file.bytes.size()));
    if (file.name.ends_with(".cls")) {
      const std::string key = file.name.substr(0, file.name.size() - 3);
      if (!image.name.starts_with(key)) throw Error(file.name + ": its image is not before it");
      image.label = std::stoi(file.bytes);
      co_yield std::move(image);
    } else {
      image = std::move(file);
    }
  }
}

/// All shards but the last one, in an order that depends on the pass.
Generator<File> read_tars(std::vector<std::string> shards, std::uint32_t pass) {
  const auto count = static_cast<std::uint32_t>(shards.size() - 1);
  for (const std::uint32_t i : permutation(count, Random(1, pass, 0, Purpose::user))) {
    for (File& file : read_tar(shards[i])) co_yield std::move(file);
  }
}

int main(int argc, char** argv) try {
  const bool is_drawn = argc < 3;
  const auto shards = is_drawn ? draw_shards(4) : std::vector<std::string>(argv + 1, argv + argc);
  const Shape sample{28, 28, 1};
  const nn::Model model = nn::zoo_model("mlp:100", sample, kClasses);
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();

  Pipeline p{{.name = "tar shards", .budget = 128_MiB}};
  const auto executor = make_executor(
      p, *engine, model, {.batch = kBatch, .optimizer = {.kind = nn::OptimizerKind::adam}}, 1);
  auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = sample, .capacity = kBatch});
  const auto make = [=](Phase phase, std::uint32_t pass) {
    return phase == Phase::training ? shuffled(read_tars(shards, pass), 2000, pass)
                                    : read_tar(shards.back());
  };
  auto files = p.source({.name = "read", .on = On::blocking}, host,
                        Streamed(make, {.epochs = 3, .payload = 8_KiB, .buffered = 2000}));
  const auto decode = [decoder = Decoder()](const File& file, Row row) mutable {
    decoder.decode(std::as_bytes(std::span(file.bytes)), file.name, row.image(), Filter::bilinear);
    row.label(file.label);
  };
  auto images = p.then(files, {.name = "decode", .concurrency = kAllThreads, .on_error = skip(100)},
                       EachRow(decode));
  auto batches = p.then(p.gather(images), "batch", Batcher{});
  auto inputs = add_upload(p, batches,
                           {.batches = {.engine = engine, .sample = sample, .capacity = kBatch},
                            .preprocessing = model.preprocessing});
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  double accuracy = 0;
  p.sink(steps, "log", Logger({.on_epoch = [&](const EpochRecord& epoch) {
           accuracy = epoch.validation->accuracy();
           std::cout << "epoch " << epoch.epoch + 1 << ": right " << 100 * accuracy << " %\n";
         }}));
  std::cout << p.plan() << p.run();
  return !is_drawn || accuracy > 0.9 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "tar_shards: " << error.what() << '\n';
  return 1;
}

// Tar shards read by another library, file after file: a pattern for data that Millrace does not
// read itself. (It does read tar shards: millrace/io/tar_shards.h.) What you learn: a coroutine
// over a reader as a source, shards in another order and shuffled samples in each epoch, bytes of
// files in the budget, decoding by several threads, and leaving out files that cannot be decoded.
//
//   tar_shards [TRAIN.tar... VALIDATION.tar]     of NAME.jpg (.png, ...) each before its NAME.cls

#include "drawn_shards.h"

#include <millrace/cpu/engine.h>
#include <millrace/io/decode.h>
#include <millrace/io/image_walk.h>
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

#include <charconv>
#include <iostream>

using namespace millrace;

constexpr std::int64_t kBatch = 32, kClasses = 10;

struct File {
  std::string name, bytes;
  int label = -1;
};

/// Each image with the label after it. Files of other kinds are passed by; an image without a
/// label, or a label without its image, is an error, so that no sample is lost without a word.
Generator<File> read_tar(std::string shard) {
  const std::unique_ptr<archive, int (*)(archive*)> tar(archive_read_new(), archive_read_free);
  const auto checked = [&](la_ssize_t result) {
    return result < 0 ? throw Error(concat(shard, ": ", archive_error_string(tar.get()))) : result;
  };
  checked(archive_read_support_format_tar(tar.get()));
  checked(archive_read_open_filename(tar.get(), shard.c_str(), 1 << 16));
  std::optional<File> image;
  archive_entry* entry = nullptr;
  while (checked(archive_read_next_header(tar.get(), &entry)) != ARCHIVE_EOF) {
    File file{shard + ':' + archive_entry_pathname(entry), {}, -1};
    const bool is_label = file.name.ends_with(".cls"), is_image = is_image_name(file.name);
    if (archive_entry_filetype(entry) != AE_IFREG || is_label == is_image) continue;
    // A header may say anything; the payload of the source bounds what is read.
    file.bytes.resize(std::min<std::size_t>(archive_entry_size(entry), 1 << 24));
    checked(archive_read_data(tar.get(), file.bytes.data(), file.bytes.size()));
    if (is_image && image) throw Error(image->name + ": no .cls comes after it");
    if (is_image) image = std::move(file);
    if (is_image) continue;
    const std::string key = file.name.substr(0, file.name.size() - 3);
    if (!image || !image->name.starts_with(key)) throw Error(file.name + ": not after its image");
    std::from_chars(file.bytes.data(), file.bytes.data() + file.bytes.size(), image->label);
    co_yield *std::exchange(image, {});
  }
  if (image) throw Error(image->name + ": no .cls comes after it");
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
                       EachRow(decode, {.labels = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}));
  auto inputs = add_upload(p, p.then(p.gather(images), "batch", Batcher{}),
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

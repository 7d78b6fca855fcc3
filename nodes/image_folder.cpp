#include <millrace/nodes/image_folder.h>

#include <millrace/io/class_folder.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>

#include <utility>

namespace millrace {

Range<Lease<HostBatch>> image_folder(const std::filesystem::path& path,
                                     const ImageFolderOptions& options, std::stop_token stop) {
  const auto folder = std::make_shared<const ClassFolder>(path);
  const auto classes = static_cast<std::int64_t>(folder->classes().size());
  check_class_mode(options.class_mode, classes);
  DirectoryReader reader(SampleSet::all(folder), {},
                         {.batch = options.batch,
                          .epochs = options.epochs,
                          .seed = options.seed,
                          .shuffle = options.shuffle,
                          .with_labels = has_labels(options.class_mode)});
  Pipeline p({.name = "image folder", .budget = options.budget, .threads = options.threads});
  p.charge("index", 1, folder->index_bytes() + reader.bytes());
  const Shape sample{options.size, options.size, options.channels};
  auto host = p.pool<HostBatch>(
      "host", options.slots,
      HostBatchFactory{.sample = sample,
                       .capacity = options.batch,
                       .target_width = target_width(options.class_mode, classes)});
  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(
      tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = options.on_bad_image},
      DecodeInto(folder, folder, options.filter));
  auto augmented = p.then(pixels, {.name = "augment", .concurrency = kAllThreads},
                          Augment(options.augment, options.seed, sample));
  return p.range(p.then(p.gather(augmented), {.name = "batch"}, Batcher{}), std::move(stop));
}

}  // namespace millrace

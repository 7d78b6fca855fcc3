#include <millrace/nodes/image_folder.h>

#include <millrace/io/class_folder.h>
#include <millrace/nodes/add_decoding.h>

#include <memory>
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
  return p.range(add_decoding(p, host, std::move(reader),
                              {.sample = sample,
                               .preprocessing = {.filter = to_string(options.filter)},
                               .on_bad_image = options.on_bad_image,
                               .augment = options.augment,
                               .seed = options.seed}),
                 std::move(stop));
}

}  // namespace millrace

// From a folder of images to batches, stage by stage. What you learn: a pool of slots, a source,
// nodes with concurrency and a policy for damaged images, gather, a sink, plan and report.

#include <millrace/io/class_folder.h>
#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>

#include <iostream>

using namespace millrace;

void pass_over(const std::filesystem::path& photos) {
  // [readme]
  auto folder = std::make_shared<const ClassFolder>(photos);
  Pipeline p{{.name = "pass", .budget = 2_GiB}};
  auto slots =
      p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = {64, 64, 3}, .capacity = 32});
  auto tickets =
      p.source({.name = "list"}, slots, DirectoryReader(SampleSet::all(folder), {}, {.seed = 1}));
  auto pixels = p.then(tickets, {.name = "decode", .concurrency = 4, .on_error = skip(100)},
                       DecodeInto(folder, folder, Filter::bilinear));
  auto flipped = p.then(pixels, {.name = "augment"}, Augment({.horizontal_flip = true}, 1));
  auto batches = p.then(p.gather(flipped), {.name = "batch"}, Batcher{});
  p.sink(batches, {.name = "use", .on = On::blocking},
         [](const Lease<HostBatch>& batch) { std::cout << batch->rows().shape << '\n'; });
  std::cout << p.plan() << p.run();  // stages and memory before, times and bottleneck after
  // [readme]
}

int main() {
  const std::filesystem::path root = "photos";
  for (const auto& [name, value] : {std::pair("cats", 10), std::pair("dogs", 200)}) {
    std::filesystem::create_directories(root / name);
    const std::vector<std::uint8_t> pixels(90 * 70 * 3, static_cast<std::uint8_t>(value));
    const std::vector<std::byte> file = encode_png({pixels.data(), 70, 90, 3});
    for (int i = 0; i < 40; ++i) write_file(root / name / (std::to_string(i) + ".png"), file);
  }
  pass_over(root);
  return 0;
}

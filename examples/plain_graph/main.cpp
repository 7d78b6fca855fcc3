// Millrace's nodes and pools in a plain oneTBB flow graph, without its pipelines: images of class
// folders are decoded into a fixed number of batches, and a batch is summed when its last image is
// decoded. What you learn: nodes are callables, a pool needs no pipeline, and the next batch begins
// when a slot is free.

#include <millrace/io/class_folder.h>
#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/nodes/decode_into.h>

#include <oneapi/tbb/flow_graph.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <numeric>

using namespace millrace;
namespace flow = oneapi::tbb::flow;

/// 40 grey images of 6x6; those of class "dark" are 10, those of "light" 200.
std::filesystem::path make_images() {
  const std::filesystem::path root = "images";
  for (const auto& [name, value] : {std::pair("dark", 10), std::pair("light", 200)}) {
    create_folders(root / name);
    const std::vector<std::uint8_t> pixels(36, static_cast<std::uint8_t>(value));
    const std::vector<std::byte> file = encode_png({pixels.data(), 6, 6, 1});
    for (int i = 0; i < 20; ++i) write_file(root / name / (std::to_string(i) + ".png"), file);
  }
  return root;
}

int main() {
  const auto folder = std::make_shared<const ClassFolder>(make_images());
  Budget budget(1_MiB);
  Pool<HostBatch> pool("batches", 2, HostBatchFactory{.sample = {6, 6, 1}, .capacity = 8}, budget);

  std::uint32_t next = 0;
  std::atomic<std::uint64_t> sum{0};
  flow::graph graph;
  flow::function_node<Lease<HostBatch>> add(
      graph, flow::serial, [&](const Lease<HostBatch>& batch) {
        const auto pixels = batch->rows().as<std::uint8_t>();
        sum += std::accumulate(pixels.begin(), pixels.end(), std::uint64_t{0});
      });
  // A pipeline would skip or report a sample that cannot be read; here the graph has to.
  const Context::Skip refuse = [](const std::string& what) { throw Error(what); };
  flow::function_node<Ticket> decode(
      graph, 2, [&, node = DecodeInto(folder, folder, Filter::bilinear)](const Ticket& ticket) {
        DecodeInto own = node;  // one decoder a call
        Context context(0, {}, refuse);
        add.try_put(own(ticket, context).batch);
      });
  // The next batch begins when a slot is free.
  flow::function_node<flow::continue_msg> list(graph, flow::serial, [&](flow::continue_msg) {
    if (next == folder->size()) return;
    Lease<HostBatch> batch = pool.try_acquire();
    if (!batch) return;
    for (batch->size = 0; batch->size < batch->capacity(); ++batch->size) {
      batch->index[static_cast<std::size_t>(batch->size)] = next++;
    }
    decode.try_put({batch, 0, static_cast<std::uint32_t>(batch->size)});
  });
  pool.when_free([&] { list.try_put({}); });
  for (int i = 0; i < pool.slots(); ++i) list.try_put({});
  graph.wait_for_all();
  pool.when_free({});
  std::cout << "sum of all pixels: " << sum << '\n';
  return sum == 20 * 36 * (10 + 200) ? 0 : 1;
}

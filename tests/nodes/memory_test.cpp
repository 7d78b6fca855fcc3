// Memory is bounded by construction: where a consumer stands still, reading stops too, and nothing
// grows.

#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>

#include <atomic>
#include <thread>

#include <sys/resource.h>

using namespace millrace;

namespace {

constexpr std::uint32_t kBatch = 32, kBatches = 12, kSlots = 3;

double peak_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// Passes all samples, of 192 KiB each, through three batches of 6 MiB. `consume` gets the number
/// of the batch and the samples that were decoded so far.
template <class Consume>
void read_all(Consume consume) {
  const auto data = std::make_shared<const Numbered>(kBatch * kBatches, Shape{256, 256, 3});
  std::atomic<std::uint32_t> decoded{0};
  Pipeline p{{.name = "pass", .threads = 2}};
  const auto slots = p.pool<HostBatch>(
      "host", kSlots, HostBatchFactory{.sample = {256, 256, 3}, .capacity = kBatch});
  const auto tickets = p.source({.name = "list"}, slots,
                                DirectoryReader(SampleSet::all(data), {}, {.batch = kBatch}));
  const auto pixels = p.then(tickets, {.name = "decode", .concurrency = 2},
                             [&decoded, decode = DecodeInto(data, data, Filter::bilinear)](
                                 const Ticket& ticket, Context& context) mutable {
                               Ticket done = decode(ticket, context);
                               decoded += ticket.count;
                               return done;
                             });
  const auto batches = p.then(p.gather(pixels), {.name = "batch"}, Batcher{});
  p.sink(batches, {.name = "use", .on = On::blocking},
         [&, n = std::uint32_t{0}](const Lease<HostBatch>&) mutable { consume(n++, decoded); });
  p.run();
}

}  // namespace

TEST_CASE("a consumer that stands still takes no more memory than one that keeps up") {
  read_all([](std::uint32_t, const auto&) {});
  const double keeping_up = peak_mib();
  std::uint32_t most = 0;
  read_all([&](std::uint32_t n, const std::atomic<std::uint32_t>& decoded) {
    // Until all slots are full; then nothing may be read until this batch goes home.
    while (n == 0 && decoded < kSlots * kBatch) std::this_thread::yield();
    most = std::max(most, decoded.load() - n * kBatch);
  });
  INFO(keeping_up << " MiB, and " << peak_mib() << " MiB with a stalled consumer");
  CHECK(most == kSlots * kBatch);
  CHECK(peak_mib() <= 1.02 * keeping_up);
}

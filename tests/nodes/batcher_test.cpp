#include "catch.h"

#include <millrace/nodes/batcher.h>

#include <algorithm>

using namespace millrace;

namespace {

/// A batch of ten rows: row i holds pixel and label i, and is valid unless it is in `holes`.
Lease<HostBatch> ten_rows(Pool<HostBatch>& pool, const std::vector<std::size_t>& holes) {
  Lease<HostBatch> batch = pool.try_acquire();
  batch->size = 10;
  for (std::size_t i = 0; i < 10; ++i) {
    batch->row(static_cast<std::int64_t>(i)).as<std::uint8_t>()[0] = static_cast<std::uint8_t>(i);
    batch->labels[i] = static_cast<std::int32_t>(i);
    batch->index[i] = static_cast<std::uint32_t>(100 + i);
    batch->positions[i] = 1000 + i;
    batch->valid[i] = std::find(holes.begin(), holes.end(), i) == holes.end() ? 1 : 0;
  }
  return batch;
}

Pool<HostBatch> one_batch(Budget& budget) {
  return Pool<HostBatch>("host", 1, HostBatchFactory{.sample = {1, 1, 1}, .capacity = 10}, budget);
}

std::vector<int> pixels_of(const HostBatch& batch) {
  const auto rows = batch.rows().as<std::uint8_t>();
  return {rows.begin(), rows.end()};
}

}  // namespace

TEST_CASE("holes close in the order of the rows, and all that belongs to a row moves with it") {
  Budget budget;
  Pool<HostBatch> pool = one_batch(budget);
  const Lease<HostBatch> batch = ten_rows(pool, {0, 4, 5, 9});
  Batcher{}({.items = {{batch, 0, 6}, {batch, 6, 4}}});
  CHECK(batch->size == 6);
  CHECK(batch->holes == 4);
  CHECK(pixels_of(*batch) == std::vector<int>{1, 2, 3, 6, 7, 8});
  for (std::size_t i = 0; i < 6; ++i) {
    const auto n = static_cast<std::size_t>(pixels_of(*batch)[i]);
    CHECK(batch->labels[i] == static_cast<std::int32_t>(n));
    CHECK(batch->index[i] == 100 + n);
    CHECK(batch->positions[i] == 1000 + n);
  }
}

TEST_CASE("rows of a ticket that was skipped as a whole are holes, whatever they say") {
  Budget budget;
  Pool<HostBatch> pool = one_batch(budget);
  const Lease<HostBatch> batch = ten_rows(pool, {});
  Batcher{}({.items = {{batch, 0, 3}, {batch, 8, 2}}, .lost = 1});
  CHECK(batch->holes == 5);
  CHECK(pixels_of(*batch) == std::vector<int>{0, 1, 2, 8, 9});
}

TEST_CASE("a batch without holes is left alone, and one with nothing but holes is empty") {
  Budget budget;
  Pool<HostBatch> pool = one_batch(budget);
  Lease<HostBatch> batch = ten_rows(pool, {});
  Batcher{}({.items = {{batch, 0, 10}}});
  CHECK(batch->size == 10);
  CHECK(batch->holes == 0);
  batch.reset();
  batch = ten_rows(pool, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(Batcher{}({.items = {{batch, 0, 10}}})->size == 0);
}

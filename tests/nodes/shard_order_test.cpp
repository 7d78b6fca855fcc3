// The order of a pass over samples in shards, and how several processes share it.

#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/core/random.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/shard_order.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <set>
#include <utility>

using namespace millrace;
using Numbers = std::vector<std::uint32_t>;

namespace {

Numbers up_to(std::uint32_t n) {
  Numbers values(n);
  std::iota(values.begin(), values.end(), 0U);
  return values;
}

Numbers sorted(Numbers values) {
  std::sort(values.begin(), values.end());
  return values;
}

Numbers ordered(const Numbers& samples, const Numbers& firsts, std::uint32_t pass,
                std::uint32_t buffer) {
  Numbers order(samples.size());
  order_by_shards(samples, firsts, 7, pass, buffer, order);
  return order;
}

/// What a reader takes of a pass.
struct Taken {
  Numbers samples, passes;
  std::vector<std::uint64_t> positions;
};

Taken read(const SampleSet& set, const ReaderOptions& options) {
  Budget budget;
  Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = options.batch},
                       budget);
  DirectoryReader reader(set, SampleSet{set.dataset, {}}, options);
  Taken taken;
  const Lease<HostBatch> batch = pool.try_acquire();
  while (reader.next(*batch)) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch->size); ++i) {
      taken.samples.push_back(batch->index[i]);
      taken.passes.push_back(batch->passes[i]);
      taken.positions.push_back(batch->positions[i]);
    }
  }
  return taken;
}

SampleSet in_shards(std::uint32_t size, const Numbers& firsts) {
  return SampleSet::all(
      std::make_shared<const Numbered>(size, Shape{4, 4, 1}, std::set<std::uint32_t>{}, firsts));
}

}  // namespace

TEST_CASE("with a buffer of one, shards follow each other at random, each in its own order") {
  const Numbers firsts = {0, 10, 11, 40, 70};
  const Numbers order = ordered(up_to(100), firsts, 0, 1);
  CHECK(sorted(order) == up_to(100));
  Numbers begun;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const bool begins = std::count(firsts.begin(), firsts.end(), order[i]) == 1;
    if (begins) begun.push_back(order[i]);
    if (!begins) CHECK(order[i] == order[i - 1] + 1);
  }
  CHECK(sorted(begun) == firsts);
  CHECK(ordered(up_to(100), firsts, 0, 1) == order);
  std::set<Numbers> orders;
  for (std::uint32_t pass = 0; pass < 20; ++pass) {
    orders.insert(ordered(up_to(100), firsts, pass, 1));
  }
  CHECK(orders.size() > 10);  // of 120
}

TEST_CASE("a sample leaves the buffer as if that were a list that is filled up behind") {
  const Numbers firsts = {0, 300, 500};
  for (const std::uint32_t buffer : {1U, 2U, 50U, 599U, 600U, 10'000U}) {
    const Numbers stream = ordered(up_to(600), firsts, 3, 1);
    Random random(7, 3, 2, Purpose::shuffle);
    std::deque<std::uint32_t> rest(stream.begin(), stream.end());
    Numbers list, expected;
    while (!rest.empty() || !list.empty()) {
      while (!rest.empty() && list.size() < buffer) {
        list.push_back(rest.front());
        rest.pop_front();
      }
      const auto at = static_cast<std::ptrdiff_t>(random.below(list.size()));
      expected.push_back(list[static_cast<std::size_t>(at)]);
      list[static_cast<std::size_t>(at)] = list.front();
      list.erase(list.begin());
    }
    CHECK(ordered(up_to(600), firsts, 3, buffer) == expected);
  }
}

TEST_CASE("a split's samples keep to their shards, whatever their order") {
  const Numbers firsts = {0, 10, 20};
  const Numbers samples = {25, 3, 21, 5, 29, 4};  // none of the second shard
  const Numbers order = ordered(samples, firsts, 1, 1);
  CHECK(sorted(order) == up_to(6));
  const bool first_comes_first = order[0] == 1;
  CHECK(order == (first_comes_first ? Numbers{1, 3, 5, 0, 2, 4} : Numbers{0, 2, 4, 1, 3, 5}));
}

TEST_CASE("samples in shards are read shard by shard where there is a buffer, else all are mixed") {
  const SampleSet set = in_shards(200, {0, 50, 100, 150});
  const SampleSet plain = in_shards(200, {});
  const ReaderOptions options{.batch = 16, .epochs = 2, .seed = 7, .shuffle_buffer = 20};
  ReaderOptions whole = options;
  whole.shuffle_buffer = 0;
  const Taken taken = read(set, options);
  Numbers expected = ordered(up_to(200), {0, 50, 100, 150}, 0, 20);
  const Numbers second = ordered(up_to(200), {0, 50, 100, 150}, 1, 20);
  expected.insert(expected.end(), second.begin(), second.end());
  CHECK(taken.samples == expected);
  CHECK(read(set, whole).samples == read(plain, whole).samples);
  CHECK(read(plain, options).samples == read(plain, whole).samples);
  whole.shuffle = false;
  ReaderOptions still = options;
  still.shuffle = false;
  CHECK(read(set, still).samples == read(plain, whole).samples);
}

TEST_CASE("a reader that begins at any batch goes on in the order of the one that did not stop") {
  const SampleSet set = in_shards(90, {0, 25, 31, 60});
  for (const std::uint32_t steps : {0U, 7U}) {
    const ReaderOptions options{
        .batch = 16, .epochs = 3, .steps_per_epoch = steps, .seed = 7, .shuffle_buffer = 9};
    const Numbers whole = read(set, options).samples;
    Budget budget;
    Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = 16}, budget);
    DirectoryReader reader(set, SampleSet{set.dataset, {}}, options);
    const Lease<HostBatch> batch = pool.try_acquire();
    std::size_t done = 0;
    while (reader.next(*batch)) {
      done += static_cast<std::size_t>(batch->size);
      if (batch->tag.ends_run) break;
      ReaderOptions later = options;
      later.start = batch->tag.next;
      CHECK(read(set, later).samples ==
            Numbers(whole.begin() + static_cast<std::ptrdiff_t>(done), whole.end()));
    }
    CHECK(done == whole.size());
  }
}

TEST_CASE("processes that share a pass together see each sample once, at its own position") {
  for (const bool is_in_shards : {true, false}) {
    const SampleSet set = in_shards(103, is_in_shards ? Numbers{0, 25, 31, 60} : Numbers{});
    const ReaderOptions options{.batch = 8, .epochs = 2, .seed = 7, .shuffle_buffer = 9};
    const Taken whole = read(set, options);
    for (const std::uint32_t world : {1U, 2U, 3U, 7U}) {
      std::size_t count = 0;
      for (std::uint32_t rank = 0; rank < world; ++rank) {
        ReaderOptions own = options;
        own.rank = rank;
        own.world = world;
        const Taken taken = read(set, own);
        for (std::size_t i = 0; i < taken.samples.size(); ++i) {
          const std::uint64_t position = taken.positions[i];
          CHECK(position % world == rank);
          CHECK(taken.samples[i] == whole.samples[taken.passes[i] * 103 + position]);
        }
        std::set<std::pair<std::uint32_t, std::uint64_t>> places;
        for (std::size_t i = 0; i < taken.samples.size(); ++i) {
          places.emplace(taken.passes[i], taken.positions[i]);
        }
        CHECK(places.size() == taken.samples.size());
        count += taken.samples.size();
      }
      CHECK(count == whole.samples.size());
    }
  }
}

TEST_CASE("a process that is none of those that share is refused") {
  const SampleSet set = in_shards(20, {});
  const auto reader = [&](const ReaderOptions& options) {
    return DirectoryReader(set, SampleSet{set.dataset, {}}, options);
  };
  CHECK_THROWS_WITH(reader({.rank = 2, .world = 2}),
                    Catch::Contains("rank: must be below the number of processes, 2, not 2"));
  CHECK_THROWS_AS(reader({.rank = 0, .world = 0}), UsageError);
  CHECK_THROWS_WITH(reader({.rank = 20, .world = 21}), Catch::Contains("no sample is left"));
}

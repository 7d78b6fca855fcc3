#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/directory_reader.h>

#include <algorithm>
#include <numeric>

using namespace millrace;

namespace {

struct Read {
  BatchTag tag;
  std::vector<std::uint32_t> index, passes;
  std::vector<std::uint64_t> positions;
  std::uint32_t tickets = 0;
  std::vector<std::int32_t> labels{};
  std::vector<float> weights{};
};

/// All batches that a reader makes.
std::vector<Read> read_all(DirectoryReader reader, std::int64_t capacity = 64) {
  struct Count final : detail::EmitTarget {
    void emit(detail::Item item) override {
      ++tickets;
      samples += item.get<Ticket>().count;
    }
    std::uint32_t tickets = 0, samples = 0;
  };
  Budget budget;
  Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = capacity},
                       budget);
  std::vector<Read> batches;
  for (bool goes_on = true; goes_on;) {
    Lease<HostBatch> batch = pool.try_acquire();
    Count count;
    Emit<Ticket> emit(count);
    goes_on = reader(batch, emit);
    const auto n = static_cast<std::size_t>(batch->size);
    const auto first = [n](const auto& values) {
      return std::decay_t<decltype(values)>(values.begin(),
                                            values.begin() + static_cast<std::ptrdiff_t>(n));
    };
    CHECK(count.samples == n);
    batches.push_back({batch->tag, first(batch->index), first(batch->passes),
                       first(batch->positions), count.tickets, first(batch->labels),
                       first(batch->weights)});
  }
  return batches;
}

SampleSet numbered(std::uint32_t size) {
  return SampleSet::all(std::make_shared<const Numbered>(size));
}

std::vector<std::uint32_t> samples_of(const std::vector<Read>& batches, std::uint32_t epoch,
                                      Phase phase) {
  std::vector<std::uint32_t> all;
  for (const Read& batch : batches) {
    if (batch.tag.epoch == epoch && batch.tag.phase == phase) {
      all.insert(all.end(), batch.index.begin(), batch.index.end());
    }
  }
  return all;
}

std::vector<std::uint32_t> sorted(std::vector<std::uint32_t> values) {
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<std::uint32_t> up_to(std::uint32_t n) {
  std::vector<std::uint32_t> values(n);
  std::iota(values.begin(), values.end(), 0U);
  return values;
}

}  // namespace

TEST_CASE("each epoch sees each training sample once, in an order of its own") {
  const auto batches =
      read_all(DirectoryReader(numbered(70), {}, {.batch = 32, .epochs = 3, .seed = 5}));
  REQUIRE(batches.size() == 9);
  CHECK(batches[2].index.size() == 6);  // batches do not span passes
  std::vector<std::vector<std::uint32_t>> epochs;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    epochs.push_back(samples_of(batches, epoch, Phase::training));
    CHECK(sorted(epochs.back()) == up_to(70));
    CHECK(epochs.back() != up_to(70));
  }
  CHECK(epochs[0] != epochs[1]);
  CHECK(epochs[1] != epochs[2]);
}

TEST_CASE("the same seed gives the same batches and another seed others") {
  const auto order = [](std::uint64_t seed) {
    return samples_of(read_all(DirectoryReader(numbered(100), {}, {.batch = 10, .seed = seed})), 0,
                      Phase::training);
  };
  CHECK(order(1) == order(1));
  CHECK(order(1) != order(2));
}

TEST_CASE("without shuffling samples come in the order of the data set") {
  const auto batches = read_all(DirectoryReader(numbered(50), {}, {.batch = 16, .shuffle = false}));
  CHECK(samples_of(batches, 0, Phase::training) == up_to(50));
}

TEST_CASE("validation follows training in each epoch, in the order of the data set") {
  const auto batches =
      read_all(DirectoryReader(numbered(40), numbered(20), {.batch = 16, .epochs = 2}));
  REQUIRE(batches.size() == 2 * (3 + 2));
  for (std::uint32_t epoch = 0; epoch < 2; ++epoch) {
    CHECK(samples_of(batches, epoch, Phase::validation) == up_to(20));
  }
  std::string phases;
  for (const Read& batch : batches) {
    phases += batch.tag.phase == Phase::training ? 't' : 'v';
    if (batch.tag.ends_phase) phases += '|';
    if (batch.tag.ends_epoch) phases += '/';
    if (batch.tag.ends_run) phases += '.';
  }
  CHECK(phases == "ttt|vv|/ttt|vv|/.");
}

TEST_CASE("with steps_per_epoch the stream is endless and all batches are full") {
  const auto batches =
      read_all(DirectoryReader(numbered(25), {}, {.batch = 10, .epochs = 3, .steps_per_epoch = 4}));
  REQUIRE(batches.size() == 12);
  std::vector<std::uint32_t> stream;
  for (const Read& batch : batches) {
    CHECK(batch.index.size() == 10);
    CHECK(batch.tag.steps == 4);
    stream.insert(stream.end(), batch.index.begin(), batch.index.end());
  }
  // 120 samples: four passes of 25 and a part of the fifth.
  for (std::size_t pass = 0; pass < 4; ++pass) {
    const auto begin = stream.begin() + static_cast<std::ptrdiff_t>(25 * pass);
    CHECK(sorted({begin, begin + 25}) == up_to(25));
  }
}

TEST_CASE("a sample knows its pass and its position in the pass") {
  const auto batches =
      read_all(DirectoryReader(numbered(25), {}, {.batch = 10, .epochs = 1, .steps_per_epoch = 6}));
  std::uint32_t at = 0;
  for (const Read& batch : batches) {
    for (std::size_t i = 0; i < batch.index.size(); ++i, ++at) {
      CHECK(batch.passes[i] == at / 25);
      CHECK(batch.positions[i] == at % 25);
    }
  }
}

TEST_CASE("short batches are known beforehand") {
  CHECK(DirectoryReader(numbered(70), numbered(33), {.batch = 32}).short_batches() ==
        std::vector<std::int64_t>{6, 1});
  CHECK(DirectoryReader(numbered(64), numbered(70), {.batch = 32}).short_batches() ==
        std::vector<std::int64_t>{6});
  CHECK(DirectoryReader(numbered(70), {}, {.batch = 32, .steps_per_epoch = 5})
            .short_batches()
            .empty());
  CHECK(
      DirectoryReader(numbered(70), {}, {.batch = 32, .limit_batches = 2}).short_batches().empty());
}

TEST_CASE("limit_batches cuts both phases") {
  const auto batches =
      read_all(DirectoryReader(numbered(100), numbered(100), {.batch = 10, .limit_batches = 2}));
  CHECK(samples_of(batches, 0, Phase::training).size() == 20);
  CHECK(samples_of(batches, 0, Phase::validation).size() == 20);
}

TEST_CASE("tickets hold at most so many samples") {
  const auto batches =
      read_all(DirectoryReader(numbered(60), {}, {.batch = 60, .ticket_samples = 16}));
  CHECK(batches.front().tickets == 4);
}

TEST_CASE("classes weigh in training alone") {
  const auto batches =
      read_all(DirectoryReader(numbered(8), numbered(8), {.batch = 8, .class_weights = {0.5F, 3}}));
  REQUIRE(batches.size() == 2);
  for (const Read& batch : batches) {
    for (std::size_t i = 0; i < 8; ++i) {
      const float weight = batch.labels[i] == 0 ? 0.5F : 3.0F;
      CHECK(batch.weights[i] == (batch.tag.phase == Phase::training ? weight : 1.0F));
    }
  }
  CHECK_THROWS_WITH(DirectoryReader(numbered(8), {}, {.class_weights = {1}}),
                    "class weights: 1 for 2 classes");
}

TEST_CASE("an empty training set and a batch of nothing are refused") {
  CHECK_THROWS_WITH(DirectoryReader(numbered(0), {}, {}),
                    "there is nothing to train on: no sample is left");
  CHECK_THROWS_AS(DirectoryReader(numbered(3), {}, {.batch = 0}), UsageError);
}

TEST_CASE("a reader that starts behind any batch goes on as the one that made it") {
  const std::uint32_t steps = GENERATE(0U, 4U);  // epochs that are passes, and an endless stream
  const ReaderOptions options{.batch = 32, .epochs = 3, .steps_per_epoch = steps, .seed = 5};
  const auto whole = read_all(DirectoryReader(numbered(70), numbered(40), options));
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    ReaderOptions later = options;
    later.start = whole[i].tag.next;
    const auto rest = read_all(DirectoryReader(numbered(70), numbered(40), later));
    INFO("behind batch " << i);
    REQUIRE(rest.size() == whole.size() - i - 1);
    for (std::size_t k = 0; k < rest.size(); ++k) {
      const Read& expected = whole[i + 1 + k];
      CHECK(rest[k].index == expected.index);
      CHECK(rest[k].passes == expected.passes);
      CHECK(rest[k].positions == expected.positions);
      CHECK(rest[k].tag.next == expected.tag.next);
      CHECK(rest[k].tag.ends_epoch == expected.tag.ends_epoch);
      CHECK(rest[k].tag.ends_run == expected.tag.ends_run);
    }
  }
}

TEST_CASE("a start that the data set does not have is refused") {
  CHECK_THROWS_WITH(DirectoryReader(numbered(20), {}, {.batch = 8, .start = {.step = 3}}),
                    Catch::Contains("has changed"));
  CHECK_THROWS_WITH(
      DirectoryReader(numbered(20), {}, {.batch = 8, .start = {.phase = Phase::validation}}),
      Catch::Contains("has changed"));
}

TEST_CASE("a reader ends when somebody says that training is finished") {
  const auto finished = std::make_shared<std::atomic<bool>>(false);
  DirectoryReader reader(numbered(70), {}, {.batch = 32, .epochs = 9, .finished = finished});
  finished->store(true);
  Budget budget;
  Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = 64}, budget);
  struct None final : detail::EmitTarget {
    void emit(detail::Item) override { FAIL("a ticket"); }
  } none;
  Emit<Ticket> emit(none);
  CHECK_FALSE(reader(pool.try_acquire(), emit));
}

TEST_CASE("within a group of batches a run goes on from where the group began") {
  const ReaderOptions options{.batch = 16, .epochs = 2, .accumulate = 2};
  const auto batches = read_all(DirectoryReader(numbered(70), numbered(20), options));
  REQUIRE(batches.size() == 14);  // of each epoch five of training, in groups of 2, 2 and 1
  const auto next = [&](std::size_t i) { return batches[i].tag.next; };
  CHECK(next(0) == ReaderPosition{});
  CHECK(next(1) == ReaderPosition{.step = 2, .position = 32});
  CHECK(next(2) == next(1));
  CHECK(next(3) == ReaderPosition{.step = 4, .position = 64});
  CHECK(next(4) == ReaderPosition{.phase = Phase::validation, .pass = 1});
  CHECK(next(6) == ReaderPosition{.epoch = 1, .pass = 1});
  CHECK(next(7) == next(6));
  ReaderOptions rest = options;
  rest.start = next(2);
  CHECK(read_all(DirectoryReader(numbered(70), numbered(20), rest)).size() == 12);
}

TEST_CASE("the last batch of a pass is left out where it is short and that is asked for") {
  const ReaderOptions options{.batch = 32, .epochs = 2, .drop_last = true};
  const auto batches = read_all(DirectoryReader(numbered(70), numbered(40), options));
  std::vector<std::size_t> training, validation;
  for (const Read& batch : batches) {
    (batch.tag.phase == Phase::training ? training : validation).push_back(batch.index.size());
  }
  CHECK(training == std::vector<std::size_t>{32, 32, 32, 32});
  CHECK(validation == std::vector<std::size_t>{32, 8, 32, 8});  // all of it is measured
  CHECK(DirectoryReader(numbered(70), {}, options).short_batches().empty());
  CHECK(DirectoryReader(numbered(64), {}, options).training_steps() == 2);
  CHECK_THROWS_WITH(DirectoryReader(numbered(31), {}, options),
                    Catch::Contains("31 samples do not fill a batch of 32"));
}

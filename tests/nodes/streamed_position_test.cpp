// Streams that begin at a position, or are left early.

#include "catch.h"
#include "nodes/streams.h"

#include <millrace/nodes/streamed.h>

#include <list>
#include <memory>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("a stream that is given its position goes there, another one is replayed") {
  const StreamedOptions options =
      GENERATE(StreamedOptions{.epochs = 3}, StreamedOptions{.epochs = 3, .steps_per_epoch = 4},
               StreamedOptions{.epochs = 3, .drop_last = true},
               StreamedOptions{.epochs = 3, .accumulate = 2});
  const bool goes_there = GENERATE(false, true);
  const auto run = [&](const StreamedOptions& from) {
    const auto stream = numbers(10, 6);
    if (!goes_there) return batches_of(stream, from);
    return batches_of(
        [stream](Phase phase, std::uint32_t epoch, std::uint64_t begin) {
          const auto all = collected(stream(phase, epoch));
          return std::vector(all.begin() + static_cast<std::ptrdiff_t>(begin), all.end());
        },
        from);
  };
  const std::vector<Told> whole = run(options);
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    StreamedOptions rest = options;
    rest.start = whole[i].tag.next;
    const std::vector<Told> again = run(rest);
    // Half of a group of batches cannot be gone on with.
    const std::size_t behind = whole.size() - again.size();
    CHECK(i + 1 - behind < options.accumulate);
    REQUIRE(again.size() <= whole.size());
    CHECK(std::vector(whole.begin() + static_cast<std::ptrdiff_t>(behind), whole.end()) == again);
  }
}

TEST_CASE("a position behind the whole pass begins the next one") {
  const std::vector<Told> whole = batches_of(numbers(8), {.epochs = 2, .steps_per_epoch = 2});
  REQUIRE(whole[1].tag.next == ReaderPosition{.epoch = 1, .pass = 0, .position = 8});
  const std::vector<Told> rest =
      batches_of(numbers(8), {.epochs = 2, .steps_per_epoch = 2, .start = whole[1].tag.next});
  CHECK(rest == std::vector(whole.begin() + 2, whole.end()));
}

TEST_CASE("a stream that has become shorter than where the run goes on is an error") {
  CHECK_THROWS_WITH(
      batches_of(numbers(6), {.start = {.step = 2, .position = 8}}),
      "cannot resume after sample 8 of pass 1 of the training stream: it ends after 6; it has "
      "changed since the run began");
  CHECK_THROWS_WITH(
      batches_of(numbers(8), {.start = {.step = 2, .position = 8}}),
      "there is no training batch 3 of epoch 1: its stream ends before; it has changed "
      "since the run began");
  CHECK_THROWS_WITH(
      batches_of(numbers(8, 4), {.start = {.phase = Phase::validation, .step = 1, .pass = 1}}),
      "there is no validation batch 2 of epoch 1: its stream ends before; it has changed since the "
      "run began");
  CHECK_THROWS_WITH(
      batches_of(numbers(8), {.steps_per_epoch = 2, .start = {.step = 2, .position = 8}}),
      Contains("there is no batch 3 of epoch 1 of 2 batches"));
}

TEST_CASE("a stream that goes to its position itself is refused where it has become too short") {
  const auto numbers_from = [](std::uint32_t size) {
    return [=](Phase phase, std::uint32_t pass, std::uint64_t begin) {
      const auto first = static_cast<std::uint32_t>(begin);
      const std::uint32_t left = phase == Phase::training && first < size ? size - first : 0;
      return count(left, 1000 * pass + first);
    };
  };
  const StreamedOptions options{
      .epochs = 2, .steps_per_epoch = 2, .start = {.epoch = 1, .position = 8}};
  CHECK_THROWS_WITH(
      batches_of(numbers_from(7), options),
      "cannot resume after sample 8 of pass 1 of the training stream: it ends before; "
      "it has changed since the run began");
  const std::vector<Told> at_its_end = batches_of(numbers_from(8), options);
  REQUIRE(at_its_end.size() == 2);
  CHECK(at_its_end[0].items == std::vector<std::uint32_t>{1000, 1001, 1002, 1003});
  const std::vector<Told> within = batches_of(numbers_from(10), options);
  REQUIRE(within.size() == 2);
  CHECK(within[0].items == std::vector<std::uint32_t>{8, 9, 1000, 1001});
}

TEST_CASE("a stream ends early when nobody wants more of it") {
  const auto finished = std::make_shared<std::atomic<bool>>(false);
  Streamed stream(numbers(100), {.epochs = 5, .finished = finished});
  HostBatch batch = slot();
  std::vector<std::uint32_t> items;
  CHECK(stream.next(batch, items));
  finished->store(true);
  CHECK_FALSE(stream.next(batch, items));
}

TEST_CASE("a stop ends a stream that is replayed, and one that is pulled") {
  std::stop_source stop;
  const auto stopping = [&stop](Phase, std::uint32_t) {
    return [&stop, n = 0U]() mutable -> std::optional<std::uint32_t> {
      if (++n == 10) stop.request_stop();
      REQUIRE(n < 12);
      return n;
    };
  };
  HostBatch batch = slot(20);
  std::vector<std::uint32_t> items;
  const std::uint32_t position = GENERATE(0U, 100U);
  CHECK_FALSE(
      Streamed(stopping, {.start = {.position = position}}).next(batch, items, stop.get_token()));
}

TEST_CASE("a copy of a stream begins where the stream began") {
  Streamed stream(numbers(8));
  HostBatch batch = slot();
  std::vector<std::uint32_t> items;
  REQUIRE(stream.next(batch, items));
  Streamed copy(stream);
  REQUIRE(copy.next(batch, items));
  CHECK(items == std::vector<std::uint32_t>{0, 1, 2, 3});
  REQUIRE(stream.next(batch, items));
  CHECK(items == std::vector<std::uint32_t>{4, 5, 6, 7});
}

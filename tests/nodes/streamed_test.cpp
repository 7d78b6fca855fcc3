// Streamed without a pipeline: which samples make up which batch, and what is stamped on it.

#include "catch.h"
#include "nodes/streams.h"

#include <millrace/nodes/streamed.h>

#include <list>
#include <memory>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("an epoch ends where its stream ends, with a short batch or a full one") {
  CHECK(story(batches_of(numbers(10), {.epochs = 2})) == "4 4 2|/ 4 4 2|/.");
  CHECK(story(batches_of(numbers(8), {.epochs = 2})) == "4 4|/ 4 4|/.");
  CHECK(story(batches_of(numbers(3), {.epochs = 1})) == "3|/.");
}

TEST_CASE("validation follows training in each epoch that has one") {
  CHECK(story(batches_of(numbers(8, 5), {.epochs = 2})) == "4 4| v4 v1|/ 4 4| v4 v1|/.");
  const auto only_later = [](Phase phase, std::uint32_t epoch) {
    return count(phase == Phase::training ? 6 : epoch == 1 ? 4 : 0);
  };
  CHECK(story(batches_of(only_later, {.epochs = 3})) == "4 2|/ 4 2| v4|/ 4 2|/.");
}

TEST_CASE("each sample comes once, with the pass and the position it stands at") {
  const std::vector<Told> told = batches_of(numbers(6, 5), {.epochs = 2});
  REQUIRE(told.size() == 8);
  for (const Told& batch : told) {
    for (std::size_t i = 0; i < batch.items.size(); ++i) {
      const bool is_training = batch.tag.phase == Phase::training;
      const std::uint32_t position = 4 * batch.tag.step + static_cast<std::uint32_t>(i);
      CHECK(batch.items[i] == (is_training ? 1000 * batch.tag.epoch : 500) + position);
      CHECK(batch.passes[i] == batch.tag.epoch);
      CHECK(batch.positions[i] == position);
      CHECK(batch.index[i] == position);
    }
  }
}

TEST_CASE("a row of a stream is not labelled, weighs one and waits to be called valid") {
  HostBatch batch = slot(4, 2);
  batch.labels.assign(4, 7);
  batch.weights.assign(4, 7);
  batch.targets.assign(8, 7);
  batch.valid.assign(4, 1);
  std::vector<std::uint32_t> items;
  REQUIRE(Streamed(numbers(3)).next(batch, items));
  CHECK(batch.size == 3);
  CHECK(batch.labels == std::vector<std::int32_t>{-1, -1, -1, 7});
  CHECK(batch.weights == std::vector<float>{1, 1, 1, 7});
  CHECK(batch.targets == std::vector<float>{0, 0, 0, 0, 0, 0, 7, 7});
  CHECK(batch.valid[0] == HostBatch::kNotStamped);
}

TEST_CASE("an epoch by count takes full batches, and begins the stream anew where it ends") {
  const std::vector<Told> told = batches_of(numbers(6), {.epochs = 2, .steps_per_epoch = 2});
  CHECK(story(told) == "4 4|/ 4 4|/.");
  std::vector<std::uint32_t> items, passes;
  std::vector<std::uint64_t> positions;
  for (const Told& batch : told) {
    items.insert(items.end(), batch.items.begin(), batch.items.end());
    passes.insert(passes.end(), batch.passes.begin(), batch.passes.end());
    positions.insert(positions.end(), batch.positions.begin(), batch.positions.end());
  }
  CHECK(items == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 1000, 1001, 1002, 1003, 1004, 1005,
                                            2000, 2001, 2002, 2003});
  CHECK(passes == std::vector<std::uint32_t>{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2});
  CHECK(positions == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3});
}

TEST_CASE("an endless stream goes on behind the validation of an epoch by count") {
  const auto endless = [](Phase phase, std::uint32_t pass) {
    return count(phase == Phase::training ? 1'000'000 : 2, 1000 * pass);
  };
  const std::vector<Told> told = batches_of(endless, {.epochs = 2, .steps_per_epoch = 2});
  CHECK(story(told) == "4 4| v2|/ 4 4| v2|/.");
  CHECK(told[3].items == std::vector<std::uint32_t>{8, 9, 10, 11});
}

TEST_CASE("steps are told where they are counted, and with the last batch where they are not") {
  const std::vector<Told> counted = batches_of(numbers(6, 5), {.steps_per_epoch = 2});
  CHECK(counted[0].tag.steps == 2);
  CHECK(counted[1].tag.steps == 2);
  CHECK(counted[2].tag.steps == BatchTag::kUnknownSteps);
  CHECK(counted[3].tag.steps == 2);
  const std::vector<Told> open = batches_of(numbers(6), {});
  CHECK(open[0].tag.steps == BatchTag::kUnknownSteps);
  CHECK(open[1].tag.steps == 2);
}

TEST_CASE("nothing is pulled ahead where steps are counted, else one sample") {
  const auto pulled = std::make_shared<int>(0);
  const auto counting = [pulled](Phase phase, std::uint32_t) {
    return [pulled, is_training = phase == Phase::training]() -> std::optional<std::uint32_t> {
      if (!is_training) return std::nullopt;
      return static_cast<std::uint32_t>(++*pulled);
    };
  };
  HostBatch batch = slot();
  std::vector<std::uint32_t> items;
  REQUIRE(Streamed(counting, {.steps_per_epoch = 3}).next(batch, items));
  CHECK(*pulled == 4);
  *pulled = 0;
  REQUIRE(Streamed(counting).next(batch, items));
  CHECK(*pulled == 5);
}

TEST_CASE("a last batch that is short is dropped on demand, in training alone") {
  CHECK(story(batches_of(numbers(10, 6), {.epochs = 2, .drop_last = true})) ==
        "4 4| v4 v2|/ 4 4| v4 v2|/.");
  CHECK(story(batches_of(numbers(8), {.drop_last = true})) == "4 4|/.");
  CHECK_THROWS_WITH(batches_of(numbers(3), {.drop_last = true}),
                    "there is nothing to train on in epoch 1: 3 samples do not fill a batch of 4, "
                    "and the last batch is dropped");
}

TEST_CASE("a phase has no more batches than it is limited to") {
  CHECK(story(batches_of(numbers(20, 20), {.epochs = 2, .limit_batches = 2})) ==
        "4 4| v4 v4|/ 4 4| v4 v4|/.");
  CHECK(story(batches_of(numbers(20), {.steps_per_epoch = 5, .limit_batches = 1})) == "4|/.");
}

TEST_CASE("a batch may be smaller than its slot and not larger") {
  CHECK(story(batches_of(numbers(5), {.batch = 3})) == "3 2|/.");
  CHECK_THROWS_WITH(batches_of(numbers(5), {.batch = 5}), "batch: slots hold 4 samples, a batch 5");
}

TEST_CASE("an epoch without a sample is an error") {
  CHECK_THROWS_WITH(batches_of(numbers(0), {}),
                    "epoch 1 has no training sample: its stream is empty");
  CHECK_THROWS_WITH(batches_of(numbers(0), {.steps_per_epoch = 2}),
                    "there is nothing to train on: the stream of pass 1 has no sample");
  const auto runs_dry = [](Phase phase, std::uint32_t pass) {
    return count(phase == Phase::training && pass < 2 ? 5 : 0);
  };
  CHECK_THROWS_WITH(batches_of(runs_dry, {.epochs = 4}),
                    "epoch 3 has no training sample: its stream is empty");
  CHECK_THROWS_WITH(batches_of(runs_dry, {.epochs = 4, .steps_per_epoch = 1}),
                    "there is nothing to train on: the stream of pass 3 has no sample");
}

TEST_CASE("options of a stream that cannot be are refused") {
  CHECK_THROWS_AS(Streamed(numbers(4), {.batch = -1}), UsageError);
  CHECK_THROWS_AS(Streamed(numbers(4), {.accumulate = 0}), UsageError);
}

TEST_CASE("a stream may be a range, a reference to one, a generator or a callable") {
  using Items = std::vector<std::uint32_t>;
  const Items six{0, 1, 2, 3, 4, 5};
  const auto items_of = [](auto make) {
    Items all;
    for (const Told& batch : batches_of(std::move(make), {})) {
      all.insert(all.end(), batch.items.begin(), batch.items.end());
    }
    return all;
  };
  const auto training_alone = [&](auto whole, auto none) {
    return items_of(
        [=](Phase phase, std::uint32_t) { return phase == Phase::training ? whole : none; });
  };
  CHECK(training_alone(six, Items{}) == six);
  CHECK(training_alone(std::list<std::uint32_t>(six.begin(), six.end()),
                       std::list<std::uint32_t>{}) == six);
  const Items empty;
  CHECK(items_of([&](Phase phase, std::uint32_t) -> const Items& {
          return phase == Phase::training ? six : empty;
        }) == six);
  CHECK(items_of(numbers(6)) == six);
  CHECK(items_of([](Phase phase, std::uint32_t) {
          return [n = 0U, end = phase == Phase::training ? 6U : 0U]() mutable {
            return n < end ? std::optional(n++) : std::nullopt;
          };
        }) == six);
}

TEST_CASE("a factory of streams and its samples may be such as can only be moved") {
  auto make = [own = std::make_unique<int>(6)](Phase phase,
                                               std::uint32_t) -> Generator<std::unique_ptr<int>> {
    for (int i = 0; phase == Phase::training && i < *own; ++i) co_yield std::make_unique<int>(i);
  };
  Streamed stream(std::move(make));
  Streamed moved(std::move(stream));
  HostBatch batch = slot();
  std::vector<std::unique_ptr<int>> items;
  REQUIRE(moved.next(batch, items));
  Streamed again(std::move(moved));
  REQUIRE(again.next(batch, items));
  REQUIRE(items.size() == 2);
  CHECK(*items[1] == 5);
}

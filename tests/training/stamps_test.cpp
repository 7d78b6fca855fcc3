// A user's own source of batches: what it forgets to stamp is told by its name.

#include "catch.h"
#include "training/steps.h"

#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <functional>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

constexpr std::uint32_t kRows = 4, kSteps = 3, kEpochs = 2;

/// As it must be; `forget` then undoes some of it. Slots come back, so what a batch before had said
/// must not do for the next one.
void stamp(HostBatch& batch, std::uint32_t number) {
  for (std::size_t i = 0; i < kRows; ++i) {
    batch.row(static_cast<std::int64_t>(i)).as<std::uint8_t>()[0] =
        static_cast<std::uint8_t>(200 * (i % 2));
    batch.labels[i] = static_cast<std::int32_t>(i % 2);
    batch.valid[i] = 1;
  }
  batch.size = kRows;
  const bool is_last = number % kSteps == kSteps - 1;
  batch.tag = {.epoch = number / kSteps,
               .step = number % kSteps,
               .steps = kSteps,
               .ends_phase = is_last,
               .ends_epoch = is_last,
               .ends_run = number + 1 == kSteps * kEpochs};
}

using Forget = std::function<void(HostBatch& batch, std::uint32_t number)>;

/// Trains on batches of such a source; the epochs that were told of.
int epochs_of(bool with_batcher, const Forget& forget) {
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  const nn::Model model = small_model();
  Pipeline p{{.name = "train", .threads = 2}};
  const auto executor = make_executor(p, *engine, model, small_options(), 3);
  auto host =
      p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = model.input, .capacity = kRows});
  auto device =
      p.pool<DeviceBatch>("device", 1, DeviceBatchFactory{engine, model.input, DType::u8, kRows});
  const auto fill = [&forget](HostBatch& batch, std::uint32_t number) {
    stamp(batch, number);
    forget(batch, number);
  };
  const auto source = [&]() -> Stream<Lease<HostBatch>> {
    if (!with_batcher) {
      return p.source("own", host,
                      [fill, n = 0U](Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit) mutable {
                        fill(*slot, n++);
                        emit(std::move(slot));
                        return n < kSteps * kEpochs;
                      });
    }
    auto tickets =
        p.source("own", host, [fill, n = 0U](Lease<HostBatch> slot, Emit<Ticket>& emit) mutable {
          fill(*slot, n++);
          emit({slot, 0, 2});
          emit({slot, 2, 2});
          return n < kSteps * kEpochs;
        });
    return p.then(p.gather(tickets), "batch", Batcher{});
  };
  auto copied = p.then(p.with(source(), "slot", device), "copy", CopyToDevice(engine));
  auto inputs = p.then(copied, "cast", Cast(model.preprocessing, model.input));
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  int epochs = 0;
  p.sink(steps, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord&) { ++epochs; }}));
  (void)p.run();
  return epochs;
}

/// In the first batch, or in one whose slot has been stamped before.
void check_forgotten(bool with_batcher, const std::function<void(HostBatch&)>& forget,
                     const char* told) {
  const std::uint32_t at = GENERATE(0U, 4U);
  CHECK_THROWS_WITH(epochs_of(with_batcher,
                              [&](HostBatch& batch, std::uint32_t number) {
                                if (number == at) forget(batch);
                              }),
                    Contains(told));
}

const std::vector<std::uint8_t> kNothing(kRows, HostBatch::kNotStamped);

}  // namespace

TEST_CASE("a source that stamps its batches is trained on") {
  const bool with_batcher = GENERATE(false, true);
  CHECK(epochs_of(with_batcher, [](HostBatch&, std::uint32_t) {}) == kEpochs);
}

TEST_CASE("a slot that comes back has forgotten its stamps") {
  Budget budget;
  Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {2, 2, 1}, .capacity = kRows}, budget);
  Lease<HostBatch> batch = pool.try_acquire();
  CHECK(batch->valid == kNothing);
  stamp(*batch, 1);
  batch->holes = 2;
  batch.reset();
  batch = pool.try_acquire();
  CHECK(batch->valid == kNothing);
  CHECK(batch->size == 0);
  CHECK(batch->holes == 0);
  CHECK(batch->tag.steps == 0);
}

TEST_CASE("a batch without valid is an error that names it") {
  check_forgotten(
      true, [](HostBatch& batch) { batch.valid = kNothing; },
      "batch: HostBatch::valid of row 0 was not stamped");
}

TEST_CASE("a batch without size is an error that names it, behind a batcher or not") {
  check_forgotten(
      true, [](HostBatch& batch) { batch.size = 0; },
      "batch: a ticket is for rows 0 to 1 of a batch whose HostBatch::size is 0");
  check_forgotten(
      false, [](HostBatch& batch) { batch.size = 0; },
      "copy: a batch without samples: its source did not set HostBatch::size");
}

TEST_CASE("a batch without tag is an error that names it") {
  check_forgotten(
      false, [](HostBatch& batch) { batch.tag = {}; },
      "train: a batch without a tag: its source sets HostBatch::tag");
}

TEST_CASE("a tag that ends no phase is an error") {
  CHECK_THROWS_WITH(
      epochs_of(false, [](HostBatch& batch,
                          std::uint32_t) { batch.tag.ends_phase = batch.tag.ends_epoch = false; }),
      Contains("HostBatch::tag: step 2 (from 0) of 3 is the last of its phase"));
  CHECK_THROWS_WITH(
      epochs_of(false, [](HostBatch& batch, std::uint32_t) { batch.tag.ends_phase = true; }),
      Contains("HostBatch::tag: step 0 (from 0) of 3 sets ends_phase, which"));
  CHECK_THROWS_WITH(
      epochs_of(false, [](HostBatch& batch, std::uint32_t) { batch.tag.step += kSteps; }),
      Contains("HostBatch::tag: there is no step 3 (from 0) in a phase of 3 steps"));
}

TEST_CASE("a tag that ends no epoch is an error where the next one begins") {
  CHECK_THROWS_WITH(
      epochs_of(false, [](HostBatch& batch, std::uint32_t) { batch.tag.ends_epoch = false; }),
      Contains("HostBatch::tag: epoch 1 begins, but the one before has not ended"));
}

TEST_CASE("a validation that ends without its epoch is an error") {
  TrainStep step(small_state(), tenth);
  Batches batches;
  std::vector<BatchTag> tags = Batches::tags(1);
  tags[2].ends_epoch = false;
  step(batches(tags[0]));
  step(batches(tags[1]));
  CHECK_THROWS_WITH(step(batches(tags[2])),
                    "HostBatch::tag: the last batch of validation sets ends_epoch too");
}

TEST_CASE("an epoch or a validation without samples is an error") {
  TrainStep step(small_state(), tenth);
  Batches batches;
  const std::vector<BatchTag> tags = Batches::tags(1);
  const auto empty = [&](const BatchTag& tag) {
    Lease<DeviceBatch> batch = batches(tag, 4);
    batch->size = 0;
    return batch;
  };
  SECTION("training") {
    step(empty(tags[0]));
    CHECK_THROWS_WITH(step(empty(tags[1])), "no training sample could be read in epoch 1");
  }
  SECTION("validation") {
    step(batches(tags[0]));
    step(empty(tags[1]));
    CHECK_THROWS_WITH(step(empty(tags[2])), "no validation sample could be read in epoch 1");
  }
}

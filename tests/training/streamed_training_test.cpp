// Training on a stream: the same samples give the same weights wherever they come from, and steps
// that nobody knows beforehand are no hindrance.

#include "catch.h"
#include "nodes/numbered.h"
#include "training/steps.h"

#include <millrace/nodes/add_decoding.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/each_row.h>
#include <millrace/nodes/streamed.h>
#include <millrace/training/logger.h>
#include <millrace/training/train_step.h>

#include <algorithm>
#include <functional>
#include <vector>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

const Shape kSample{2, 2, 1};
constexpr std::uint32_t kTraining = 10, kValidation = 6;

struct Trained {
  std::vector<float> weights;
  std::vector<double> losses;  // of each epoch, and of its validation

  friend bool operator==(const Trained&, const Trained&) = default;
};

using Batches = Stream<Lease<HostBatch>>;

/// A small model on batches of four.
Trained trained(const std::function<Batches(Pipeline&, const Pool<HostBatch>&)>& batches,
                std::int64_t accumulate = 1) {
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  nn::CompileOptions options = small_options();
  options.accumulate = accumulate;
  Pipeline p{{.name = "train", .threads = 2}};
  const auto executor = make_executor(p, *engine, small_model(), options, 3);
  auto host = p.pool<HostBatch>("host", 2, HostBatchFactory{.sample = kSample, .capacity = 4});
  auto inputs = add_upload(p, batches(p, host),
                           {.batches = {.engine = engine, .sample = kSample, .capacity = 4},
                            .preprocessing = nn::Preprocessing{.scale = 1 / 255.0F}});
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(executor));
  Trained told;
  p.sink(steps, {.name = "log", .on = On::blocking},
         Logger({.on_epoch = [&](const EpochRecord& epoch) {
           told.losses.push_back(epoch.training.mean_loss());
           told.losses.push_back(epoch.validation ? epoch.validation->mean_loss() : 0);
         }}));
  (void)p.run();
  told.weights.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(executor->model()))));
  executor->read(nn::Arena::parameters, told.weights);
  return told;
}

Generator<std::uint32_t> count(std::uint32_t n) {
  for (std::uint32_t i = 0; i < n; ++i) co_yield i;
}

Trained trained_on_stream(const StreamedOptions& options, std::uint32_t validation = kValidation) {
  const auto make = [=](Phase phase, std::uint32_t) {
    return count(phase == Phase::training ? kTraining : validation);
  };
  const auto batches = [&](Pipeline& p, const Pool<HostBatch>& host) {
    auto rows = p.source("stream", host, Streamed(make, options));
    auto tickets =
        p.then(rows, {.name = "write", .concurrency = 2}, EachRow([](std::uint32_t n, Row row) {
                 for (std::size_t i = 0; i < row.pixels().size(); ++i) {
                   row.pixels()[i] = Numbered::pixel(n, i);
                 }
                 row.label(static_cast<int>(n % 2));
               }));
    return p.then(p.gather(tickets), "batch", Batcher{});
  };
  return trained(batches, options.accumulate);
}

Trained trained_on_index(ReaderOptions options, std::uint32_t validation = kValidation) {
  options.batch = 4;
  options.shuffle = false;
  const auto set = [](std::uint32_t n) {
    return SampleSet::all(std::make_shared<const Numbered>(n, kSample));
  };
  return trained(
      [&](Pipeline& p, const Pool<HostBatch>& host) {
        return add_decoding(p, host, DirectoryReader(set(kTraining), set(validation), options),
                            {.sample = kSample});
      },
      options.accumulate);
}

}  // namespace

TEST_CASE("a stream trains to the bits of the same samples by an index") {
  CHECK(trained_on_stream({.epochs = 3}) == trained_on_index({.epochs = 3}));
  CHECK(trained_on_stream({.epochs = 2, .steps_per_epoch = 4}) ==
        trained_on_index({.epochs = 2, .steps_per_epoch = 4}));
  CHECK(trained_on_stream({.epochs = 2, .drop_last = true}) ==
        trained_on_index({.epochs = 2, .drop_last = true}));
  CHECK(trained_on_stream({.epochs = 2, .accumulate = 2}) ==
        trained_on_index({.epochs = 2, .accumulate = 2}));
  CHECK(trained_on_stream({.epochs = 2, .limit_batches = 1}) ==
        trained_on_index({.epochs = 2, .limit_batches = 1}));
  CHECK(trained_on_stream({.epochs = 2}, 0) == trained_on_index({.epochs = 2}, 0));
  CHECK(trained_on_stream({.epochs = 3}).losses.size() == 6);
}

TEST_CASE("a phase of unknown steps that does not end is an error where the next one begins") {
  constexpr std::uint32_t kUnknown = BatchTag::kUnknownSteps;
  TrainStep step(small_state(), tenth);
  test::Batches batches;
  step(batches({.steps = kUnknown}));
  SECTION("another phase") {
    CHECK_THROWS_WITH(
        step(batches({.phase = Phase::validation, .steps = kUnknown})),
        "HostBatch::tag: validation of epoch 0 begins, but training of epoch 0 has not "
        "ended: its last batch sets ends_phase");
  }
  SECTION("another epoch") {
    CHECK_THROWS_WITH(
        step(batches({.epoch = 1, .steps = kUnknown})),
        Contains("training of epoch 1 begins, but training of epoch 0 has not ended"));
  }
  SECTION("its own next batch") {
    CHECK(step(batches({.step = 1, .steps = kUnknown, .ends_phase = true, .ends_epoch = true}))
              ->epoch != nullptr);
  }
}

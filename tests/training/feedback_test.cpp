// A stream that depends on what is learnt: with one slot its source is called when the step before
// is done, and may ask the network itself.

#include "catch.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/make_executor.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/nodes/each_row.h>
#include <millrace/nodes/streamed.h>
#include <millrace/training/train_step.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

using namespace millrace;

namespace {

constexpr std::size_t kRows = 4;
constexpr std::uint32_t kSteps = 40;
const nn::CompileOptions kOptions{
    .batch = kRows,
    .loss = nn::Loss::huber,
    .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.01}};

nn::Model model() {
  return nn::ModelBuilder("m", {2}).dense(8).relu().dense(2).build();
}

struct Sample {
  std::array<float, 2> input{}, target{};
};

nn::Batch batch_of(std::span<const float> inputs, std::span<const float> targets = {}) {
  nn::Batch batch{.input = {inputs, {kRows, 2}}, .samples = kRows};
  if (!targets.empty()) batch.labels = {targets, {kRows, 2}};
  return batch;
}

/// The samples of a step, whose targets are what the network says of others now.
std::vector<Sample> samples_of(nn::Executor& network, std::uint64_t step) {
  Random random(1, 0, step, Purpose::synthetic);
  std::vector<Sample> samples(kRows);
  std::array<float, kRows * 2> others{}, said{};
  for (float& value : others) value = static_cast<float>(random.uniform(-1, 1));
  network.predict(batch_of(others), said);
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t k = 0; k < 2; ++k) {
      samples[i].input[k] = static_cast<float>(random.uniform(-1, 1));
      samples[i].target[k] = samples[i].input[0] + 0.9F * said[2 * i + k];
    }
  }
  return samples;
}

std::vector<float> trained_by_a_loop() {
  const auto network = nn::make_executor(*cpu::make_engine({.threads = 1}), model(), kOptions, 3);
  for (std::int64_t step = 1; step <= kSteps; ++step) {
    std::vector<float> inputs, targets;
    for (const Sample& sample : samples_of(*network, static_cast<std::uint64_t>(step - 1))) {
      inputs.insert(inputs.end(), sample.input.begin(), sample.input.end());
      targets.insert(targets.end(), sample.target.begin(), sample.target.end());
    }
    network->train(batch_of(inputs, targets), step, network->learning_rate());
  }
  return network->read(nn::Arena::parameters);
}

Generator<Sample> stream_of(Phase phase, std::shared_ptr<nn::Executor> network) {
  if (phase == Phase::validation) co_return;
  for (std::uint64_t step = 0;; ++step) {
    for (const Sample& sample : samples_of(*network, step)) co_yield sample;
  }
}

std::vector<float> trained_by_a_stream() {
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  Pipeline p{{.name = "feedback", .threads = 2}};
  const auto network = make_executor(p, *engine, model(), kOptions, 3);
  auto host = p.pool<HostBatch>(
      "host", 1,
      HostBatchFactory{.sample = {2}, .dtype = DType::f32, .capacity = kRows, .target_width = 2});
  auto samples =
      p.source({.name = "ask", .on = On::blocking}, host,
               Streamed([network](Phase phase, std::uint32_t) { return stream_of(phase, network); },
                        {.steps_per_epoch = kSteps}));
  auto rows = p.then(samples, "rows", EachRow([](const Sample& sample, Row row) {
                       std::copy(sample.input.begin(), sample.input.end(), row.values().begin());
                       std::copy(sample.target.begin(), sample.target.end(), row.target().begin());
                     }));
  auto inputs = add_upload(p, p.then(p.gather(rows), "batch", Batcher{}),
                           {.batches = {.engine = engine,
                                        .sample = {2},
                                        .dtype = DType::f32,
                                        .capacity = kRows,
                                        .target_width = 2}});
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, TrainStep(network));
  std::uint64_t last = 0;
  p.sink(steps, {.name = "count", .on = On::blocking},
         [&](const StepRecord& step) { last = step.global_step; });
  p.run();
  CHECK(last == kSteps);
  return network->read(nn::Arena::parameters);
}

}  // namespace

TEST_CASE("with one slot a stream that asks the network trains to the bits of a plain loop") {
  const std::vector<float> by_a_loop = trained_by_a_loop();
  CHECK(by_a_loop !=
        nn::make_executor(*cpu::make_engine(), model(), kOptions, 3)->read(nn::Arena::parameters));
  CHECK(trained_by_a_stream() == by_a_loop);
  CHECK(trained_by_a_stream() == by_a_loop);
}

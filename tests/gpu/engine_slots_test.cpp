// Steps that read their batches from slots on the device, one by one, as graphs, and several in one
// go.

#include <cstring>
#include <numeric>

#include "catch.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using nn::Precision;
using test::adam;
using test::kSoftmax;
using test::OwnedBatch;
using test::read;
using test::same_bits;
using test::small_convnet;
using test::TestedEngine;

namespace {

struct Trained {
  std::vector<float> parameters, first_moment;
  nn::StepResult result;
};

/// Nine steps through two slots in turn, full and short ones.
Trained train_in_slots(const gpu::EngineOptions& options) {
  const nn::Model model = small_convnet();
  const TestedEngine tested(options);
  const auto executor = test::executor(*tested.engine, model, adam(8));
  std::vector<std::unique_ptr<nn::DeviceInput>> slots;
  for (const std::int64_t samples : {8, 5}) {
    const OwnedBatch data(model, kSoftmax, samples, static_cast<std::uint64_t>(samples));
    slots.push_back(test::slot_with(*tested.engine, model, data.batch(), 8));
  }
  for (int t = 1; t <= 9; ++t) {
    nn::Batch batch;
    batch.device = slots[static_cast<std::size_t>(t % 2)].get();
    batch.samples = t % 2 == 0 ? 8 : 5;
    batch.pass = static_cast<std::uint32_t>(t);
    executor->start_train(batch, t, 1e-3);
    executor->start_evaluate(batch);
  }
  const nn::StepResult result = executor->finish();
  tested.check_device();
  return {read(*executor, Arena::parameters), read(*executor, Arena::state0), result};
}

}  // namespace

TEST_CASE("Steps launched as graphs are the steps queued one by one, to the bit") {
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    if (!test::computes(precision)) continue;
    INFO(nn::to_string(precision));
    const Trained eager = train_in_slots({.precision = precision, .graphs = false});
    const Trained graphs = train_in_slots({.precision = precision, .graphs = true});
    CHECK(same_bits(eager.parameters, graphs.parameters));
    CHECK(same_bits(eager.first_moment, graphs.first_moment));
    CHECK(eager.result.loss_sum == graphs.result.loss_sum);
    CHECK(eager.result.correct == graphs.result.correct);
    CHECK(eager.result.samples == 2 * (4 * 8 + 5 * 5));
    CHECK(graphs.result.samples == eager.result.samples);
  }
}

TEST_CASE("Steps in one go from a large slot are the steps one by one, to the bit") {
  const nn::Model model = small_convnet();
  const std::vector<double> rates{1e-3, 2e-3, 1e-3};
  const OwnedBatch data(model, kSoftmax, 22, 4);
  const auto run = [&](bool together) {
    const TestedEngine tested(Precision::fp32);
    const auto executor = test::executor(*tested.engine, model, adam(8));
    const auto slot = test::slot_with(*tested.engine, model, data.batch(), 24);
    const nn::Batch all = test::in_slot(data.batch(), *slot);
    if (together) {
      executor->start_steps(all, 8, 1, rates);
    } else {
      for (std::int64_t i = 0; i < 3; ++i) {
        const nn::Batch part = nn::slice(data.batch(), 8 * i, i < 2 ? 8 : 6);
        executor->start_train(part, 1 + i, rates[static_cast<std::size_t>(i)]);
      }
    }
    const nn::StepResult result = executor->finish();
    CHECK(result.samples == 22);
    tested.check_device();
    return read(*executor, Arena::parameters);
  };
  CHECK(same_bits(run(true), run(false)));
}

TEST_CASE("Steps of resident samples in one graph are the steps of their pixels, to the bit") {
  constexpr std::int64_t kSamples = 20, kStep = 4;
  const nn::Model model = small_convnet();
  const OwnedBatch data(model, kSoftmax, kSamples, 6);
  const ConstTensorView all = data.batch().input;
  const std::vector<double> rates{1e-3, 2e-3, 1e-3, 5e-4, 1e-3};
  const auto run = [&](Precision precision, bool is_resident) {
    const TestedEngine tested(precision);
    const auto executor = test::executor(*tested.engine, model, adam(kStep));
    const auto pixels = tested.engine->resident_pixels(model.input, DType::f32, kSamples);
    pixels->allocate();
    pixels->write(0, all);
    const auto slot = tested.engine->device_input({.sample = model.input,
                                                   .pixels = DType::f32,
                                                   .capacity = kSamples,
                                                   .step = kStep,
                                                   .resident = pixels});
    // Queued the first time, captured the second, and launched again with other numbers.
    for (std::int64_t round = 0; round < 4; ++round) {
      std::vector<std::uint32_t> rows;
      std::vector<std::int32_t> labels;
      std::vector<std::uint64_t> positions(kStep);
      Buffer chosen = tested.engine->host_buffer(Bytes{all.bytes()});
      const std::size_t size = all.bytes() / kSamples;
      for (std::int64_t i = 0; i < kSamples; ++i) {
        rows.push_back(static_cast<std::uint32_t>((7 * i + 3 * round) % kSamples));
        labels.push_back(data.batch().labels.as<std::int32_t>()[rows.back()]);
        std::memcpy(chosen.data() + static_cast<std::size_t>(i) * size,
                    all.data + rows.back() * size, size);
      }
      nn::Batch batch;
      batch.samples = kSamples;
      if (is_resident) {
        slot->upload({.rows = rows, .labels = labels, .samples = kSamples}).wait();
        slot->cast({{1, 1, 1}, {0, 0, 0}}).wait();
        batch.device = slot.get();
        executor->start_steps(batch, kStep, 5 * round + 1, rates);
        continue;
      }
      batch.input = {chosen.data(), all.shape, DType::f32};
      batch.labels = {reinterpret_cast<const std::byte*>(labels.data()), Shape{kSamples},
                      DType::i32};
      for (std::int64_t i = 0; i < 5; ++i) {
        nn::Batch step = nn::slice(batch, kStep * i, kStep);
        std::iota(positions.begin(), positions.end(), static_cast<std::uint64_t>(kStep * i));
        step.positions = positions;
        executor->start_train(step, 5 * round + 1 + i, rates[static_cast<std::size_t>(i)]);
      }
    }
    const nn::StepResult result = executor->finish();
    CHECK(result.samples == 4 * kSamples);
    tested.check_device();
    return read(*executor, Arena::parameters);
  };
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    INFO(nn::to_string(precision));
    CHECK(same_bits(run(precision, true), run(precision, false)));
  }
}

TEST_CASE("Pixels are normalised and swapped on the device as the reference sees them") {
  const nn::Model model = ModelBuilder("m", {4, 3, 3}).conv(5).flatten().dense(3).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    const TestedEngine tested(precision);
    const auto executor = test::executor(*tested.engine, model, adam(2));
    const auto reference = test::executor(test::reference_for(precision), model, adam(2));
    std::vector<std::uint8_t> pixels(2 * 36);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = static_cast<std::uint8_t>((i * 37) % 256);
    }
    const nn::Normalization normalization{{0.01F, 0.02F, 0.03F}, {-1, 0, 0.5F}, true};
    std::vector<float> input(pixels.size());
    for (std::size_t i = 0; i < input.size(); ++i) {
      const std::size_t c = i % 3;
      input[i] = static_cast<float>(pixels[i - c + (2 - c)]) * normalization.factor[c] +
                 normalization.offset[c];
    }
    const std::vector<std::int32_t> labels{1, 2};
    const auto slot = tested.engine->device_input({.sample = model.input, .capacity = 2});
    slot->upload({.pixels = reinterpret_cast<const std::byte*>(pixels.data()),
                  .labels = labels,
                  .samples = 2})
        .wait();
    slot->cast(normalization).wait();
    nn::Batch host;
    host.input = ConstTensorView(std::span<const float>(input), {2, 4, 3, 3});
    host.labels = ConstTensorView(std::span<const std::int32_t>(labels), {2});
    host.samples = 2;
    const nn::StepResult result = executor->gradients(test::in_slot(host, *slot));
    const nn::StepResult expected = reference->gradients(host);
    CHECK(result.loss_sum ==
          Approx(expected.loss_sum).epsilon(test::nearness_of(precision).tolerance));
    test::check_arena(*executor, *reference, Arena::gradients, test::nearness_of(precision));
    tested.check_device();
  }
}

TEST_CASE("A slot whose target is its input trains an autoencoder") {
  const nn::Model model = ModelBuilder("m", {12}).dense(5).relu().dense(12).sigmoid().build();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, {.batch = 3});
  const auto reference = test::executor(nn::ReferenceEngine(), model, {.batch = 3});
  std::vector<float> input(36);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i % 7) / 7;
  const auto slot = tested.engine->device_input(
      {.sample = model.input, .pixels = DType::f32, .capacity = 3, .learns_input = true});
  slot->upload({.pixels = reinterpret_cast<const std::byte*>(input.data()), .samples = 3}).wait();
  slot->cast({std::vector<float>(12, 1.0F), std::vector<float>(12, 0.0F)}).wait();
  nn::Batch host;
  host.input = ConstTensorView(std::span<const float>(input), {3, 12});
  host.labels = host.input;
  host.samples = 3;
  CHECK(executor->gradients(test::in_slot(host, *slot)).loss_sum ==
        Approx(reference->gradients(host).loss_sum).epsilon(1e-6));
  test::check_arena(*executor, *reference, Arena::gradients, test::nearness_of(Precision::fp32));
  tested.check_device();
}

TEST_CASE("An upload waits on the device for the step that reads the slot") {
  const nn::Model model = ModelBuilder("m", {6}).dense(3).softmax().build();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, {.batch = 4});
  const OwnedBatch data(model, kSoftmax, 4, 1);
  const auto slot = test::slot_with(*tested.engine, model, data.batch(), 4);
  for (int t = 1; t <= 4; ++t) {
    executor->start_train(test::in_slot(data.batch(), *slot), t, 0.1);
    slot->upload({.pixels = data.batch().input.data,
                  .labels = data.batch().labels.as<std::int32_t>(),
                  .samples = 4})
        .wait();
    slot->cast({std::vector<float>(6, 1.0F), std::vector<float>(6, 0.0F)}).wait();
  }
  CHECK(executor->finish().samples == 16);
  tested.check_device();
}

TEST_CASE("What steps took by the device's own clock comes with their results, and once") {
  const nn::Model model = small_convnet();
  const TestedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(8));
  const OwnedBatch data(model, kSoftmax, 8, 1);
  const auto slot = test::slot_with(*tested.engine, model, data.batch(), 8);
  const nn::Batch batch = test::in_slot(data.batch(), *slot);
  CHECK(executor->finish().device_s == 0);
  for (int t = 1; t <= 200; ++t) executor->start_evaluate(batch);  // more than are measured
  const double many = executor->finish().device_s;
  CHECK(many > 0);
  CHECK(executor->finish().device_s == 0);
  CHECK(executor->evaluate(batch).device_s < many);
  tested.check_device();
}

// What an executor promises, on the recording device.

#include <millrace/core/error.h>
#include <millrace/gpu/memory_plan.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "catch.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using nn::Precision;
using test::OwnedBatch;
using test::read;
using test::RecordedEngine;

namespace {

constexpr auto kSoftmax = nn::Loss::softmax_cross_entropy;

nn::Model small_convnet() {
  ModelBuilder builder("cnn", {12, 10, 3});
  builder.conv(16).relu().max_pool().conv(12).batch_norm().relu().flatten();
  return builder.dropout(0.5F).dense(20).relu().dense(10).softmax().build();
}

nn::CompileOptions adam(std::int64_t batch) {
  return {.batch = batch,
          .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 1e-3},
          .seed = 3};
}

std::vector<float> ones_and_zeros(const nn::Model& model) {
  const auto parameters = nn::parameters(model);
  std::vector<float> masks(static_cast<std::size_t>(nn::trainable_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    if (!p.trainable) continue;
    for (std::int64_t i = 0; i < p.shape.elements(); ++i) {
      masks[static_cast<std::size_t>(p.offset + i)] = i % 3 == 0 ? 0.0F : 1.0F;
    }
  }
  return masks;
}

std::vector<float> times(std::vector<float> values, std::span<const float> masks) {
  for (std::size_t i = 0; i < masks.size(); ++i) values[i] *= masks[i];
  return values;
}

struct Trained {
  std::vector<float> parameters, first_moment;
  nn::StepResult result;
};

/// Nine steps through two slots in turn, full and short ones.
Trained train_in_slots(const gpu::EngineOptions& options) {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(options);
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
  return {read(*executor, Arena::parameters), read(*executor, Arena::first_moment), result};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("an engine without patience is refused") {
  for (const double patience : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(RecordedEngine({.patience = patience}), UsageError);
  }
}

TEST_CASE("Steps launched as graphs are the steps queued one by one, to the bit") {
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
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

TEST_CASE("A training step is one launch of a graph and one of its numbers") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, adam(8));
  const OwnedBatch data(model, kSoftmax, 8, 1);
  const auto slot = test::slot_with(*tested.engine, model, data.batch(), 8);
  const nn::Batch batch = test::in_slot(data.batch(), *slot);
  for (int t = 1; t <= 2; ++t) executor->start_train(batch, t, 1e-3);
  tested.device->clear();
  tested.device->forbid_host_stops(true);
  for (int t = 3; t <= 5; ++t) executor->start_train(batch, t, 1e-3);
  tested.device->forbid_host_stops(false);
  std::size_t graphs = 0, launches = 0, others = 0;
  for (const gpu::Recorded& recorded : tested.device->record()) {
    using Kind = gpu::Recorded::Kind;
    if (recorded.kind == Kind::graph)
      ++graphs;
    else if (recorded.kind == Kind::launch)
      ++launches;
    else if (recorded.kind != Kind::record && recorded.kind != Kind::wait)
      ++others;
  }
  CHECK(graphs == 3);
  CHECK(launches == 3);
  CHECK(others == 0);
  CHECK(executor->finish().samples == 40);
  tested.check_device();
}

TEST_CASE("Steps in one go from a large slot are the steps one by one, to the bit") {
  const nn::Model model = small_convnet();
  const std::vector<double> rates{1e-3, 2e-3, 1e-3};
  const OwnedBatch data(model, kSoftmax, 22, 4);
  const auto run = [&](bool together) {
    const RecordedEngine tested(Precision::fp32);
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

TEST_CASE("A batch that is not full gives what an executor of its size gives") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp32);
  const auto large = test::executor(*tested.engine, model, adam(16));
  const auto exact = test::executor(*tested.engine, model, adam(5));
  OwnedBatch full(model, kSoftmax, 16, 1);
  large->gradients(full.batch());  // leaves other values where the missing rows would be
  large->write(Arena::parameters, read(*exact, Arena::parameters));
  const OwnedBatch data(model, kSoftmax, 5, 2);
  const nn::StepResult result = large->gradients(data.batch());
  const nn::StepResult expected = exact->gradients(data.batch());
  CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(1e-6));
  CHECK(result.correct == expected.correct);
  test::check_arena(*large, *exact, Arena::gradients);
  test::check_close("prediction", test::predict(*large, data.batch()),
                    test::predict(*exact, data.batch()));
  tested.check_device();
}

TEST_CASE("What is written into an arena is what is read from it") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(4));
  for (const Arena arena :
       {Arena::parameters, Arena::gradients, Arena::first_moment, Arena::second_moment}) {
    std::vector<float> values = read(*executor, arena);
    Random random(9, 0, static_cast<std::uint64_t>(arena), Draw::user);
    for (const nn::Parameter& parameter : nn::parameters(model)) {
      if (arena != Arena::parameters && !parameter.trainable) continue;
      for (std::int64_t i = 0; i < parameter.shape.elements(); ++i) {
        values[static_cast<std::size_t>(parameter.offset + i)] =
            static_cast<float>(random.normal());
      }
    }
    executor->write(arena, values);
    CHECK(read(*executor, arena) == values);
  }
  tested.check_device();
}

TEST_CASE("Gradients after a step are those that the optimizer was given") {
  const nn::Model model = ModelBuilder("m", {6}).dense(5).relu().dense(3).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    const nn::CompileOptions options{.batch = 4,
                                     .optimizer = {.learning_rate = 0.5},
                                     .gradient = {.l2 = 0.05, .clip_global_norm = 0.1}};
    const RecordedEngine tested(precision);
    const auto executor = test::executor(*tested.engine, model, options);
    const auto reference = test::executor(test::reference_for(precision), model, options);
    const OwnedBatch data(model, kSoftmax, 4, 1);
    executor->train(data.batch(), 1, 0.5);
    reference->train(data.batch(), 1, 0.5);
    test::check_arena(*executor, *reference, Arena::gradients, test::nearness_of(precision));
  }
}

TEST_CASE("An arena that is not kept cannot be read, and says so") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, {.batch = 4});
  std::vector<float> values(
      static_cast<std::size_t>(nn::trainable_elements(nn::parameters(model))));
  CHECK_THROWS_WITH(executor->read(Arena::second_moment, values), Catch::Contains("Adam"));
  CHECK_THROWS_WITH(executor->read(Arena::masks, values), Catch::Contains("masks"));
}

TEST_CASE("Masked weights stay zero through updates, and grow back while masks are off") {
  const nn::Model model = small_convnet();
  nn::CompileOptions options = adam(6);
  options.masks = true;
  const RecordedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, options);
  CHECK(times(ones_and_zeros(model), read(*executor, Arena::masks)) == ones_and_zeros(model));
  const std::vector<float> masks = ones_and_zeros(model);
  executor->write(Arena::masks, masks);
  CHECK(read(*executor, Arena::masks) == masks);
  const OwnedBatch data(model, kSoftmax, 6, 1);
  executor->train(data.batch(), 1, 1e-3);
  const std::vector<float> masked = read(*executor, Arena::parameters);
  CHECK(times(masked, masks) == masked);
  executor->mask_updates(false);
  executor->train(data.batch(), 2, 1e-3);
  const std::vector<float> grown = read(*executor, Arena::parameters);
  CHECK(times(grown, masks) != grown);
}

TEST_CASE("evaluate gives the outputs of predict from the same pass") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::bf16);
  const auto executor = test::executor(*tested.engine, model, adam(6));
  for (const std::int64_t samples : {6, 4}) {
    const OwnedBatch data(model, kSoftmax, samples, 3);
    std::vector<float> outputs(static_cast<std::size_t>(samples * 10));
    const nn::StepResult result = executor->evaluate(data.batch(), outputs);
    CHECK(outputs == test::predict(*executor, data.batch()));
    CHECK(result.loss_sum == executor->evaluate(data.batch()).loss_sum);
    CHECK_THROWS_AS(executor->evaluate(data.batch(), std::span(outputs).first(3)),
                    std::logic_error);
  }
}

TEST_CASE("The device gives what memory() says, and the plan without a device says no less") {
  const nn::Model model = small_convnet();
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    nn::CompileOptions options = adam(8);
    options.other_batches = {3};
    options.masks = true;
    options.gradient.l2 = 0.1;
    const RecordedEngine tested(precision);
    const auto executor = tested.engine->compile(model, options);
    const Bytes before = tested.device->memory().free;
    executor->allocate();
    const Bytes taken = before - tested.device->memory().free;
    CHECK(taken == nn::total(executor->memory()));
    executor->release();
    CHECK(tested.device->memory().free == before);

    const auto planned = gpu::plan_memory(model, options, precision);
    const auto lines = executor->memory();
    REQUIRE(planned.size() == lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(planned[i].name == lines[i].name);
      if (lines[i].name != "scratch") CHECK(planned[i].bytes == lines[i].bytes);
      CHECK(planned[i].bytes >= lines[i].bytes);
    }
  }
}

TEST_CASE("Memory that the device does not have is refused with the name of the part") {
  gpu::Faults faults;
  faults.memory = Bytes{200'000};
  const RecordedEngine tested({}, faults);
  const auto executor = tested.engine->compile(small_convnet(), adam(64));
  CHECK_THROWS_WITH(executor->allocate(), Catch::Contains("activations"));
}

TEST_CASE("A slot takes what device_input_bytes() says") {
  const RecordedEngine tested(Precision::fp16);
  const nn::DeviceInputLayout layout{.sample = {9, 7, 3}, .capacity = 5, .target_width = 4};
  const Bytes before = tested.device->memory().free;
  const auto slot = tested.engine->device_input(layout);
  CHECK(before - tested.device->memory().free == tested.engine->device_input_bytes(layout));
}

TEST_CASE("Pixels are normalised and swapped on the device as the reference sees them") {
  const nn::Model model = ModelBuilder("m", {4, 3, 3}).conv(5).flatten().dense(3).softmax().build();
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    const RecordedEngine tested(precision);
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
  const RecordedEngine tested(Precision::fp32);
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
  test::check_arena(*executor, *reference, Arena::gradients);
  tested.check_device();
}

TEST_CASE("An upload waits on the device for the step that reads the slot") {
  const nn::Model model = ModelBuilder("m", {6}).dense(3).softmax().build();
  const RecordedEngine tested(Precision::fp32);
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

TEST_CASE("An overflow of fp16 skips the step, halves the scale and changes no weight") {
  const nn::Model model = ModelBuilder("m", {6}).dense(5).relu().dense(3).softmax().build();
  const RecordedEngine tested({.precision = Precision::fp16, .loss_scale = {.initial = 0x1p40}});
  const auto executor = test::executor(*tested.engine, model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  const std::vector<float> start = read(*executor, Arena::parameters);
  REQUIRE(executor->loss_scale().has_value());
  CHECK(executor->loss_scale()->scale == 0x1p40);
  CHECK(executor->train(data.batch(), 1, 1e-3).samples == 4);
  CHECK(executor->loss_scale()->scale == 0x1p39);
  CHECK(executor->loss_scale()->skipped == 1);
  CHECK(same_bits(read(*executor, Arena::parameters), start));
  executor->set_loss_scale({.scale = 128, .good_steps = 3, .skipped = 1});
  executor->train(data.batch(), 2, 1e-3);
  CHECK(executor->loss_scale() == nn::LossScaleState{128, 4, 1});
  CHECK_FALSE(same_bits(read(*executor, Arena::parameters), start));
}

TEST_CASE("Other precisions have no loss scale") {
  const nn::Model model = ModelBuilder("m", {6}).dense(3).softmax().build();
  const RecordedEngine tested(Precision::bf16);
  CHECK_FALSE(test::executor(*tested.engine, model, {.batch = 2})->loss_scale().has_value());
}

TEST_CASE("Timings name what does the work and count what ran since they were switched on") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  executor->train(data.batch(), 1, 1e-3);
  executor->reset_timings(true);
  executor->train(data.batch(), 2, 1e-3);
  executor->train(data.batch(), 3, 1e-3);
  std::set<std::string> names, libraries;
  for (const nn::OpTiming& timing : executor->timings()) {
    if (timing.calls == 0) continue;
    names.insert(timing.name);
    libraries.insert(timing.implementation.substr(0, timing.implementation.find(':')));
  }
  CHECK(names.contains("conv1 forward + relu"));
  CHECK(names.contains("update"));
  CHECK(libraries == std::set<std::string>{"cudnn", "cublaslt", "millrace"});
}

TEST_CASE("A batch that does not fit the model is refused by name") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(4));
  OwnedBatch data(model, kSoftmax, 4, 1);
  const std::vector<std::int32_t> wrong{0, 1, 10, 2};
  nn::Batch batch = data.batch();
  batch.labels = ConstTensorView(std::span<const std::int32_t>(wrong), {4});
  CHECK_THROWS_WITH(executor->gradients(batch), Catch::Contains("label 10"));
  data.batch().samples = 5;
  CHECK_THROWS_WITH(executor->gradients(data.batch()), Catch::Contains("5 samples"));
  data.batch().samples = 4;
  data.batch().input.shape = {4, 10, 12, 3};
  CHECK_THROWS_WITH(executor->gradients(data.batch()), Catch::Contains("4x10x12x3"));
}

TEST_CASE("A model compiled without training keeps no gradients and predicts") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp32);
  const nn::CompileOptions options{.batch = 4, .training = false};
  const auto executor = test::executor(*tested.engine, model, options);
  const auto trained = test::executor(*tested.engine, model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  CHECK(test::predict(*executor, data.batch()) == test::predict(*trained, data.batch()));
  CHECK_THROWS_AS(executor->train(data.batch(), 1, 0.1), Error);
}

TEST_CASE("An executor that gave its memory back takes it again and trains as a new one does") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, adam(6));
  const OwnedBatch data(model, kSoftmax, 6, 1);
  const double first = executor->train(data.batch(), 1, 1e-3).loss_sum;
  const std::vector<float> weights = read(*executor, Arena::parameters);
  executor->release();
  CHECK_THROWS_AS(executor->train(data.batch(), 2, 1e-3), std::logic_error);
  executor->allocate();
  executor->write(Arena::parameters, test::random_weights(model, 11));
  CHECK(executor->train(data.batch(), 1, 1e-3).loss_sum == first);
  CHECK(same_bits(read(*executor, Arena::parameters), weights));
  tested.check_device();
}

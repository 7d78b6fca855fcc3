// What happens to gradients and weights between two steps, on oneDNN's layouts.

#include <millrace/core/error.h>
#include <millrace/cpu/kernels/update.h>

#include <algorithm>
#include <array>

#include "catch.h"
#include "cpu/compare.h"
#include "engines/compare_updates.h"
#include "engines/groups.h"
#include "engines/uninitialised.h"
#include "nn/recorded_average.h"
#include "nn/recorded_optimizers.h"
#include "nn/recorded_steps.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using test::OwnedBatch;
using test::read;

namespace {

constexpr auto kSoftmax = nn::Loss::softmax_cross_entropy;

/// Kernels of several parts of work, and layouts with blocks.
nn::Model convnet() {
  ModelBuilder builder("m", {12, 12, 3});
  builder.conv(32).relu().max_pool().conv(24).batch_norm().relu().flatten();
  return builder.dense(40).relu().dense(5).softmax().build();
}

nn::CompileOptions with(nn::GradientOptions gradient, double smoothing = 0) {
  return {.batch = 6,
          .label_smoothing = smoothing,
          .optimizer = {.learning_rate = 0.1, .momentum = 0.9},
          .gradient = gradient};
}

/// Zeros in a third of each parameter's places.
std::vector<float> sparse_masks(const nn::Model& model) {
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

}  // namespace

TEST_CASE("Steps in float are PyTorch's and Keras's but for rounding") {
  const auto update = [](const nn::OptimizerOptions& options, double rate, std::int64_t t,
                         std::span<float> weights, std::span<const float> gradients,
                         std::span<const std::span<float>> states) {
    std::array<std::span<float>, nn::kMostStates> all;
    std::copy(states.begin(), states.end(), all.begin());
    cpu::update_weights(options, nn::update_constants(options, rate, t), weights, gradients, all);
  };
  for (const auto& record : test::recorded("optimizers.json")) {
    DYNAMIC_SECTION(record["options"]) {
      test::check_recorded<float>(record, 1e-6, 1e-6, update);
    }
  }
}

TEST_CASE("Steps with L2, clips and label smoothing are Keras's on this engine") {
  const auto engine = cpu::make_engine({.threads = 1});
  for (const auto& record : test::recorded("gradients.json")) {
    DYNAMIC_SECTION(record["options"]) {
      test::RecordedSteps(*engine, record, {1e-5, 2e-6}).check();
    }
  }
}

TEST_CASE("L2, clips and label smoothing agree with float64 over many parts of work") {
  for (const nn::GradientOptions& gradient : {nn::GradientOptions{.l2 = 0.01},
                                              {.clip_value = 0.01},
                                              {.l2 = 0.01, .clip_norm = 0.2},
                                              {.clip_global_norm = 0.3},
                                              {.l2 = 0.02, .clip_global_norm = 1}}) {
    INFO("l2 " << gradient.l2 << ", clips " << gradient.clip_value << " " << gradient.clip_norm
               << " " << gradient.clip_global_norm);
    test::check_model(convnet(), with(gradient, 0.1), {6, 4});
  }
}

TEST_CASE("Clipped steps are the same to the bit each time, on two threads") {
  const nn::Model model = convnet();
  const auto engine = cpu::make_engine({.threads = 2});
  const auto once = [&] {
    const auto executor = test::executor(*engine, model, with({.l2 = 0.01, .clip_norm = 0.1}));
    for (int t = 1; t <= 3; ++t) {
      executor->train(OwnedBatch(model, kSoftmax, 6, static_cast<std::uint64_t>(t)).batch(), t,
                      0.1);
    }
    return read(*executor, Arena::parameters);
  };
  CHECK(once() == once());
}

TEST_CASE("Masked weights stay zero through updates, and the others move as without masks") {
  const nn::Model model = convnet();
  const std::vector<float> masks = sparse_masks(model);
  nn::CompileOptions options = with({});
  options.optimizer = {.kind = nn::OptimizerKind::adam};
  const auto plain = test::executor(*cpu::make_engine({.threads = 1}), model, options);
  options.masks = true;
  const auto masked = test::executor(*cpu::make_engine({.threads = 1}), model, options);
  masked->write(Arena::masks, masks);
  CHECK(read(*masked, Arena::masks) == masks);
  const std::vector<float> start = times(test::random_weights(model, 11), masks);
  for (nn::Executor* executor : {plain.get(), masked.get()}) {
    executor->write(Arena::parameters, start);
  }
  const OwnedBatch data(model, kSoftmax, 6, 1);
  plain->train(data.batch(), 1, 1e-3);
  masked->train(data.batch(), 1, 1e-3);
  CHECK(read(*masked, Arena::parameters) == times(read(*plain, Arena::parameters), masks));
  CHECK(read(*masked, Arena::state0) == read(*plain, Arena::state0));

  masked->train(data.batch(), 2, 1e-3);
  const std::vector<float> after = read(*masked, Arena::parameters);
  CHECK(times(after, masks) == after);
}

TEST_CASE("Without masks in updates, masked weights grow back until they are on again") {
  const nn::Model model = convnet();
  nn::CompileOptions options = with({});
  options.masks = true;
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, options);
  const std::vector<float> masks = sparse_masks(model);
  executor->write(Arena::masks, masks);
  const OwnedBatch data(model, kSoftmax, 6, 1);
  executor->mask_updates(false);
  executor->train(data.batch(), 1, 0.1);
  const std::vector<float> grown = read(*executor, Arena::parameters);
  CHECK(times(grown, masks) != grown);
  executor->mask_updates(true);
  executor->train(data.batch(), 2, 0.1);
  const std::vector<float> masked = read(*executor, Arena::parameters);
  CHECK(times(masked, masks) == masked);
}

TEST_CASE("Masks are ones at first, a line of the memory, and refused where they are not kept") {
  const nn::Model model = ModelBuilder("m", {20}).dense(16, false).dense(16, false).build();
  nn::CompileOptions options{.batch = 2};
  const auto without = test::executor(*cpu::make_engine({.threads = 1}), model, options);
  std::vector<float> values(16 * 20 + 16 * 16);
  CHECK_THROWS_WITH(without->read(Arena::masks, values), Catch::Contains("masks"));
  options.masks = true;
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, options);
  executor->read(Arena::masks, values);
  CHECK(std::ranges::count(values, 1.0F) == static_cast<std::ptrdiff_t>(values.size()));
  const auto lines = executor->memory();
  const auto line = std::ranges::find(lines, "masks", &nn::MemoryLine::name);
  REQUIRE(line != lines.end());
  CHECK(line->bytes == lines[1].bytes);
}

TEST_CASE("evaluate gives the outputs of predict from the same pass") {
  const nn::Model model = convnet();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, with({}));
  for (const std::int64_t samples : {6, 4}) {
    const OwnedBatch data(model, kSoftmax, samples, 3);
    std::vector<float> outputs(static_cast<std::size_t>(samples * 5));
    const nn::StepResult result = executor->evaluate(data.batch(), outputs);
    CHECK(outputs == test::predict(*executor, data.batch()));
    CHECK(result.loss_sum == executor->evaluate(data.batch()).loss_sum);
    CHECK_THROWS_AS(executor->evaluate(data.batch(), std::span(outputs).first(3)),
                    std::logic_error);
  }
}

TEST_CASE("An executor that gave its memory back takes it again and trains as a new one does") {
  const nn::Model model = convnet();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, with({.l2 = 0.1}));
  const OwnedBatch data(model, kSoftmax, 6, 1);
  const double first = executor->train(data.batch(), 1, 0.1).loss_sum;
  const std::vector<float> weights = read(*executor, Arena::parameters);
  executor->release();
  CHECK_THROWS_AS(executor->train(data.batch(), 2, 0.1), std::logic_error);
  executor->allocate();
  executor->write(Arena::parameters, test::random_weights(model, 11));
  CHECK(executor->train(data.batch(), 1, 0.1).loss_sum == first);
  CHECK(read(*executor, Arena::parameters) == weights);
}

TEST_CASE("A group of batches takes the step of one batch that holds them all") {
  ModelBuilder builder("m", {12, 12, 3});
  builder.conv(32).relu().max_pool().conv(24).relu().flatten().dropout(0.3F);
  const nn::Model model = builder.dense(40).relu().dense(5).softmax().build();
  for (const nn::GradientOptions& gradient : {nn::GradientOptions{},
                                              {.l2 = 0.01},
                                              {.l2 = 0.01, .clip_norm = 0.2},
                                              {.clip_global_norm = 0.3}}) {
    for (const cpu::EngineOptions& engine :
         {cpu::EngineOptions{.threads = 1}, cpu::EngineOptions{.threads = 2},
          cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::slices}}) {
      INFO("l2 " << gradient.l2 << ", clips " << gradient.clip_norm << ' '
                 << gradient.clip_global_norm << ", threads " << engine.threads);
      test::check_groups(*cpu::make_engine(engine), nn::ReferenceEngine(), model, with(gradient));
    }
  }
}

TEST_CASE("A group that nobody has begun is begun by its first batch") {
  test::check_begun_groups(nn::ReferenceEngine(), with({.l2 = 0.01}));
  for (const cpu::Sharing sharing : {cpu::Sharing::together, cpu::Sharing::slices}) {
    const auto engine = cpu::make_engine({.threads = 2, .sharing = sharing});
    test::check_begun_groups(*engine, with({.l2 = 0.01}));
  }
}

TEST_CASE("A group that is dropped leaves running statistics as they were before it") {
  test::check_dropped_groups(nn::ReferenceEngine(), with({.l2 = 0.01}));
  for (const cpu::Sharing sharing : {cpu::Sharing::together, cpu::Sharing::slices}) {
    const auto engine = cpu::make_engine({.threads = 2, .sharing = sharing});
    test::check_dropped_groups(*engine, with({.l2 = 0.01}));
  }
}

TEST_CASE("An evaluation within a group changes nothing of it") {
  const nn::Model model = ModelBuilder("m", {6}).dense(5).softmax().build();
  const auto engine = cpu::make_engine({.threads = 1});
  const OwnedBatch data(model, kSoftmax, 6, 3);
  const auto trained = [&](bool evaluates) {
    const auto executor =
        test::executor(*engine, model, {.batch = 6, .gradient = {.l2 = 0.1}, .accumulate = 2});
    executor->start_accumulate(data.batch(), true);
    if (evaluates) (void)executor->evaluate(data.batch());
    executor->start_accumulate(data.batch(), false);
    executor->start_update(1, 0.1);
    CHECK(executor->finish().samples == 12);
    return read(*executor, Arena::parameters);
  };
  CHECK(trained(true) == trained(false));
}

TEST_CASE("Averages of the weights are PyTorch's but for rounding") {
  const auto engine = cpu::make_engine({.threads = 1});
  for (const auto& record : test::recorded("average.json")) {
    DYNAMIC_SECTION(record["options"]) {
      test::check_recorded_average(*engine, record, 2e-6);
    }
  }
}

TEST_CASE("Averages agree with float64, are evaluated in the weights' place and give it back") {
  for (const cpu::EngineOptions& engine :
       {cpu::EngineOptions{.threads = 1}, cpu::EngineOptions{.threads = 2},
        cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::slices}}) {
    for (const nn::GradientOptions& gradient : {nn::GradientOptions{}, {.l2 = 0.01}}) {
      INFO("threads " << engine.threads << ", l2 " << gradient.l2);
      test::check_averages(*cpu::make_engine(engine), nn::ReferenceEngine(), convnet(),
                           with(gradient));
    }
  }
}

TEST_CASE("An executor without weights refuses to train, and one that was made has them") {
  test::check_uninitialised(nn::ReferenceEngine());
  test::check_made(nn::ReferenceEngine());
  const auto engine = cpu::make_engine({.threads = 2});
  test::check_uninitialised(*engine);
  test::check_made(*engine);
}

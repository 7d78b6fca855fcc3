#include <millrace/core/error.h>
#include <millrace/nn/zoo/zoo.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include "catch.h"
#include "cpu/compare.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using test::OwnedBatch;
using test::read;

namespace {

constexpr auto kSoftmax = nn::Loss::softmax_cross_entropy;

nn::Model small_convnet() {
  ModelBuilder builder("cnn", {20, 18, 3});
  builder.conv(32).relu().max_pool().conv(64).relu().max_pool().flatten();
  return builder.dropout(0.5F).dense(40).relu().dense(10).softmax().build();
}

nn::CompileOptions adam(std::int64_t batch) {
  return {.batch = batch,
          .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 1e-3},
          .seed = 3};
}

std::vector<float> train(const nn::Engine& engine, const nn::Model& model, int steps) {
  const auto executor = test::executor(engine, model, adam(8));
  for (int t = 1; t <= steps; ++t) {
    const OwnedBatch data(model, kSoftmax, t % 3 == 0 ? 5 : 8, static_cast<std::uint64_t>(t));
    executor->train(data.batch(), t, 1e-3);
  }
  return read(*executor, Arena::parameters);
}

}  // namespace

TEST_CASE("A batch that is not full gives what an executor of its size gives") {
  const nn::Model model = small_convnet();
  const auto engine = cpu::make_engine({.threads = 1});
  const auto large = test::executor(*engine, model, adam(32));
  const auto exact = test::executor(*engine, model, adam(5));
  OwnedBatch full(model, kSoftmax, 32, 1);
  large->gradients(full.batch());  // leaves other values where the missing rows would be
  const OwnedBatch data(model, kSoftmax, 5, 2);
  const nn::StepResult result = large->gradients(data.batch());
  const nn::StepResult expected = exact->gradients(data.batch());
  CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(1e-6));
  CHECK(result.correct == expected.correct);
  test::check_arena(*large, *exact, Arena::gradients);
  test::check_close("prediction", test::predict(*large, data.batch()),
                    test::predict(*exact, data.batch()));
}

TEST_CASE("Rows beyond the valid ones are never read as numbers") {
  test::check_rows_behind(*cpu::make_engine({.threads = 1}), small_convnet(), adam(8));
}

TEST_CASE("Training twice with the same threads gives the same weights to the bit") {
  const nn::Model model = small_convnet();
  for (const cpu::Sharing sharing : {cpu::Sharing::slices, cpu::Sharing::together}) {
    for (const int threads : {1, 2, 3}) {
      const auto engine = cpu::make_engine({.threads = threads, .sharing = sharing});
      CHECK(train(*engine, model, 6) == train(*engine, model, 6));
    }
  }
}

TEST_CASE("A batch in slices gives what all threads together give, to rounding") {
  const nn::Model model = small_convnet();
  const auto slices = cpu::make_engine({.threads = 3, .sharing = cpu::Sharing::slices});
  const auto together = cpu::make_engine({.threads = 2, .sharing = cpu::Sharing::together});
  nn::CompileOptions options = adam(8);
  options.gradient = {.l2 = 0.01, .clip_global_norm = 0.5};
  const auto a = test::executor(*slices, model, options);
  const auto b = test::executor(*together, model, options);
  for (const std::int64_t samples : {8, 5, 2, 1}) {  // fewer than there are slices, too
    INFO(samples << " samples");
    OwnedBatch data(model, kSoftmax, samples, static_cast<std::uint64_t>(samples));
    if (samples == 5) data.batch().positions = {};  // dropout then counts through the whole batch
    const nn::StepResult result = a->gradients(data.batch());
    const nn::StepResult expected = b->gradients(data.batch());
    CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(1e-5));
    CHECK(result.weight_sum == Approx(expected.weight_sum));
    CHECK(result.correct == expected.correct);
    CHECK(result.samples == samples);
    test::check_arena(*a, *b, Arena::gradients);
    test::check_close("prediction", test::predict(*a, data.batch()),
                      test::predict(*b, data.batch()));
  }
}

TEST_CASE("Batch norm in slices uses the statistics of the whole batch") {
  ModelBuilder builder("m", {8, 8, 3});
  builder.conv(16).batch_norm().relu().flatten().dense(4).softmax();
  const nn::Model model = builder.build();
  const auto executor_of = [&](cpu::Sharing sharing) {
    return test::executor(*cpu::make_engine({.threads = 3, .sharing = sharing}), model, adam(7));
  };
  const auto slices = executor_of(cpu::Sharing::slices);
  const auto together = executor_of(cpu::Sharing::together);
  CHECK(slices->memory().at(1).bytes == 3 * together->memory().at(1).bytes);
  for (const std::int64_t samples : {7, 4, 2, 1}) {  // fewer than there are slices, too
    INFO(samples << " samples");
    const OwnedBatch data(model, kSoftmax, samples, 3);
    (void)slices->gradients(data.batch());
    (void)together->gradients(data.batch());
    test::check_arena(*slices, *together, Arena::gradients);
    test::check_arena(*slices, *together, Arena::parameters);  // with the running statistics
  }
}

TEST_CASE("An executor compiled on one thread steps on another") {
  const nn::Model model = small_convnet();
  const auto engine = cpu::make_engine({.threads = 2});
  const std::vector<float> expected = train(*engine, model, 3);
  const auto executor = test::executor(*engine, model, adam(8));
  std::vector<float> weights;
  std::thread lane([&] {
    for (int t = 1; t <= 3; ++t) {
      const OwnedBatch data(model, kSoftmax, t % 3 == 0 ? 5 : 8, static_cast<std::uint64_t>(t));
      executor->train(data.batch(), t, 1e-3);
    }
    weights = read(*executor, Arena::parameters);
  });
  lane.join();
  CHECK(weights == expected);
}

TEST_CASE("What is written into an arena is what is read from it") {
  const nn::Model model = small_convnet();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, adam(4));
  for (const Arena arena : {Arena::parameters, Arena::gradients, Arena::state0, Arena::state1}) {
    std::vector<float> values = read(*executor, arena);
    Random random(9, 0, static_cast<std::uint64_t>(arena), Purpose::user);
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
}

TEST_CASE("Momenta that nothing feeds any more become zero instead of denormal") {
  nn::Model model = ModelBuilder("m", {6}).relu().dense(5).relu().dense(3).softmax().build();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model,
                                       {.batch = 2, .optimizer = {.momentum = 0.5}});
  OwnedBatch data(model, kSoftmax, 2, 1);
  const std::vector<float> nothing(12, -1.0F);  // what the first ReLU takes away
  std::vector<float> momenta = read(*executor, Arena::state0);
  std::fill(momenta.begin(), momenta.begin() + 30, 1e-37F);  // of the first kernel
  executor->write(Arena::state0, momenta);
  data.batch().input = ConstTensorView(std::span<const float>(nothing), {2, 6});
  for (int t = 1; t <= 8; ++t) executor->train(data.batch(), t, 0.1);
  momenta = read(*executor, Arena::state0);
  CHECK(std::all_of(momenta.begin(), momenta.begin() + 30, [](float m) { return m == 0; }));
}

TEST_CASE("Denormal numbers are zero in a step, on all threads, and only there") {
  const float denormal = 1e-39F;
  const auto gradients_of = [&](int threads, cpu::Sharing sharing) {
    const nn::Model model = ModelBuilder("m", {64}).dense(32).dense(3).softmax().build();
    const auto executor = test::executor(
        *cpu::make_engine({.threads = threads, .sharing = sharing}), model, {.batch = 8});
    OwnedBatch data(model, kSoftmax, 8, 1);
    const std::vector<float> input(64 * 8, denormal);
    data.batch().input = ConstTensorView(std::span<const float>(input), {8, 64});
    executor->gradients(data.batch());
    return read(*executor, Arena::gradients);
  };
  for (const int threads : {1, 2}) {
    for (const cpu::Sharing sharing : {cpu::Sharing::slices, cpu::Sharing::together}) {
      const std::vector<float> gradients = gradients_of(threads, sharing);
      const auto is_zero = [](float g) { return g == 0; };
      // Of the first kernel: the input times what comes back.
      CHECK(std::all_of(gradients.begin(), gradients.begin() + 64 * 32, is_zero));
      CHECK_FALSE(std::all_of(gradients.begin() + 64 * 32, gradients.end(), is_zero));
      const volatile float outside = denormal;
      CHECK(outside * 0.5F > 0);
    }
  }
}

TEST_CASE("An arena that the optimizer does not keep cannot be read") {
  const nn::Model model = small_convnet();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, {.batch = 4});
  std::vector<float> values(
      static_cast<std::size_t>(nn::trainable_elements(nn::parameters(model))));
  CHECK_THROWS_WITH(executor->read(Arena::state1, values),
                    Catch::Contains("sgd keeps 0 state arenas"));
}

TEST_CASE("No operation of the models in use runs on the library's reference loops") {
  const auto no_reference = [](const nn::Model& model, std::int64_t batch) {
    for (const cpu::Sharing sharing : {cpu::Sharing::slices, cpu::Sharing::together}) {
      const auto executor =
          cpu::make_engine({.threads = 2, .sharing = sharing})->compile(model, adam(batch));
      const auto timings = executor->timings();
      CHECK_FALSE(timings.empty());
      for (const nn::OpTiming& timing : timings) {
        INFO(timing.name << " runs on " << timing.implementation);
        CHECK_FALSE(timing.implementation.starts_with("ref"));
        CHECK_FALSE(timing.implementation.empty());
      }
    }
  };
  const auto convnet = [](std::int64_t size, std::int64_t channels, bool norm, bool average) {
    ModelBuilder builder("cnn", {size, size, channels});
    for (const std::int64_t filters : {32, 64, 128}) {
      builder.conv(filters);
      if (norm) builder.batch_norm();
      builder.relu();
      average ? builder.avg_pool() : builder.max_pool();
    }
    return builder.flatten().dropout(0.5F).dense(64).relu().dense(2).softmax().build();
  };
  no_reference(nn::zoo_model("cnn", {150, 150, 3}, 1), 32);
  no_reference(nn::zoo_model("cnn:32,64:128", {28, 28, 1}, 10), 32);
  no_reference(nn::zoo_model("mlp:500", {28, 28, 1}, 10), 100);
  no_reference(nn::zoo_model("vgg16:dropout", {64, 64, 3}, 10), 8);
  no_reference(ModelBuilder("mlp", {28, 28, 1}).flatten().dense(500).relu().dense(10).build(), 100);
  for (const bool norm : {false, true}) {
    for (const bool average : {false, true}) {
      no_reference(convnet(50, 3, norm, average), 32);
      no_reference(convnet(28, 1, norm, average), 7);
    }
  }
  ModelBuilder norm("norm", {28, 28, 1});
  no_reference(norm.flatten().dense(100).batch_norm().relu().dense(10).softmax().build(), 32);
  ModelBuilder binary("binary", {30, 30, 3});
  binary.conv(16).sigmoid().global_avg_pool().dense(8).sigmoid().dense(1).sigmoid();
  no_reference(binary.build(), 5);
}

TEST_CASE("Timings count what ran since they were switched on") {
  const nn::Model model = small_convnet();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  executor->train(data.batch(), 1, 1e-3);
  executor->reset_timings(true);
  executor->train(data.batch(), 2, 1e-3);
  executor->train(data.batch(), 3, 1e-3);
  std::set<std::string> names;
  for (const nn::OpTiming& timing : executor->timings()) {
    if (timing.calls == 0) continue;
    CHECK(timing.calls == 2);
    CHECK(timing.seconds > 0);
    names.insert(timing.name);
  }
  CHECK(names.contains("update"));
  CHECK(names.contains("conv1 forward + relu"));
}

TEST_CASE("A batch that does not fit the model is refused by name") {
  const nn::Model model = small_convnet();
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, adam(4));
  OwnedBatch data(model, kSoftmax, 4, 1);
  data.batch().samples = 5;
  CHECK_THROWS_WITH(executor->gradients(data.batch()), Catch::Contains("5 samples"));
  data.batch().samples = 4;
  data.batch().input.shape = {4, 18, 20, 3};
  CHECK_THROWS_WITH(executor->gradients(data.batch()), Catch::Contains("4x18x20x3"));
}

TEST_CASE("A model compiled without training keeps no gradients and predicts") {
  const nn::Model model = small_convnet();
  nn::CompileOptions options{.batch = 4, .training = false};
  const auto executor = test::executor(*cpu::make_engine({.threads = 1}), model, options);
  const auto trained = test::executor(*cpu::make_engine({.threads = 1}), model, adam(4));
  const OwnedBatch data(model, kSoftmax, 4, 1);
  test::check_close("prediction", test::predict(*executor, data.batch()),
                    test::predict(*trained, data.batch()));
  CHECK_THROWS_AS(executor->train(data.batch(), 1, 0.1), Error);
  CHECK(executor->memory().at(1).bytes == Bytes{0});
}

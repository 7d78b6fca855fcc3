// A batch norm with given statistics is done by the convolution before it, with other weights,
// which follow the parameters as they change.

#include <millrace/nn/layers/kinds.h>

#include <array>

#include "catch.h"
#include "cpu/compare.h"
#include "cpu/step_names.h"
#include "engines/layer_cases.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;

namespace {

/// Convolutions of all sorts of channels, each with a norm and something behind it.
nn::Model normed(std::int64_t channels) {
  ModelBuilder builder("normed", {9, 8, 3});
  builder.conv(channels, 3, Padding::same, 2).batch_norm().relu();
  builder.add(nn::Conv2D{.filters = channels, .padding = Padding::same, .groups = channels})
      .batch_norm()
      .relu6();
  nn::Conv2D pointwise{.filters = 2 * channels, .rows = 1, .columns = 1, .bias = false};
  pointwise.groups = 2;
  builder.add(pointwise).batch_norm().silu();
  pointwise.groups = 1;
  pointwise.filters = channels;
  builder.add(pointwise).batch_norm();
  builder.residual(
      [=](ModelBuilder& b) { b.conv(8, 1).batch_norm().relu().conv(channels, 1).batch_norm(); });
  builder.relu();
  return test::classified(builder);
}

/// What evaluates as one that was made anew with these parameters does.
void check_fresh(nn::Executor& executor, const nn::Engine& engine,
                 const nn::CompileOptions& options) {
  const auto fresh = test::executor(engine, executor.model(), options);
  fresh->write(nn::Arena::parameters, test::read(executor, nn::Arena::parameters));
  for (const std::int64_t samples : {6, 2, 6}) {
    const test::OwnedBatch data(executor.model(), nn::Loss::softmax_cross_entropy, samples, 5);
    CHECK(test::predict(executor, data.batch()) == test::predict(*fresh, data.batch()));
  }
}

}  // namespace

TEST_CASE("A convolution does the work of a batch norm in evaluation, in training of frozen ones") {
  nn::Model model = normed(16);
  const test::Names evaluation = test::step_names(model, false);
  for (const char* step : {"conv1 forward + norm + relu", "conv2 forward + norm + relu",
                           "conv3 forward + norm", "conv4 forward + norm",
                           "conv5 forward + norm + relu", "conv6 forward + norm + add + relu"}) {
    CHECK(evaluation.contains(step));
  }
  CHECK(test::has(evaluation, "batch_norm1 forward fold"));
  CHECK_FALSE(test::has(evaluation, "batch_norm1 forward constants"));

  for (nn::Layer& layer : model.layers) {
    if (layer.name == "conv2") break;
    layer.trainable = false;
  }
  const test::Names frozen = test::step_names(model, true);
  CHECK(frozen.contains("conv1 forward + norm + relu"));
  CHECK(frozen.contains("batch_norm2 forward statistics"));
}

TEST_CASE("A pass of few batches folds nothing, which would cost it more than it saves") {
  const nn::Model model = normed(16);
  const auto engine = cpu::make_engine(test::kOneThread);
  for (const std::uint64_t steps : {1U, 100U}) {
    const auto executor =
        test::executor(*engine, model, {.batch = 7, .training = false, .steps = steps});
    CHECK(test::has(test::names_of(*executor), "batch_norm1 forward fold") == (steps > 1));
    const test::OwnedBatch data(model, nn::Loss::softmax_cross_entropy, 7, 5);
    const auto reference =
        test::executor(nn::ReferenceEngine(), model, {.batch = 7, .training = false});
    test::check_close("prediction", test::predict(*executor, data.batch()),
                      test::predict(*reference, data.batch()));
  }
}

TEST_CASE("A batch norm stays that follows no convolution, or one that others read too") {
  ModelBuilder builder("stays", {9, 8, 3});
  builder.batch_norm().conv(8).relu().batch_norm().branches(
      {[](ModelBuilder& b) { b.batch_norm(); }, [](ModelBuilder&) {}});
  const nn::Model model = test::classified(builder.concat());
  const test::Names names = test::step_names(model, false);
  for (const char* norm : {"batch_norm1", "batch_norm2", "batch_norm3"}) {
    CHECK(test::has(names, std::string(norm) + " forward constants"));
  }
  ModelBuilder shared("shared", {9, 8, 3});
  shared.conv(8).residual([](ModelBuilder& b) { b.batch_norm(); });
  CHECK(test::has(test::step_names(test::classified(shared), false), "batch_norm1 forward const"));
}

TEST_CASE("Folded batch norms agree with float64, whatever the channels") {
  for (const std::int64_t channels : {4, 6, 16, 40}) {
    INFO(channels << " channels");
    nn::Model model = normed(channels);
    const nn::CompileOptions options{
        .batch = 7, .other_batches = {3}, .optimizer = {.learning_rate = 0.01}};
    for (const cpu::EngineOptions& engine :
         {test::kOneThread, cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::together},
          cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::slices}}) {
      test::check_model(model, options, {7, 3, 1}, engine);
    }
    for (std::size_t i = 0; i < 6; ++i) model.layers[i].trainable = false;
    test::check_model(model, options, {7, 3, 1});
  }
}

TEST_CASE("Folded weights follow every change of the parameters") {
  const nn::Model model = normed(16);
  const nn::CompileOptions options{.batch = 6,
                                   .other_batches = {2},
                                   .optimizer = {.learning_rate = 0.1},
                                   .accumulate = 2,
                                   .average = 0.5};
  for (const int threads : {1, 2}) {
    const auto engine = cpu::make_engine({.threads = threads, .sharing = cpu::Sharing::slices});
    const auto tested = test::executor(*engine, model, options);
    const test::OwnedBatch data(model, nn::Loss::softmax_cross_entropy, 6, 1);
    check_fresh(*tested, *engine, options);
    tested->write(nn::Arena::parameters, test::random_weights(model, 3));
    check_fresh(*tested, *engine, options);
    tested->start_accumulate(data.batch(), true);  // moves the running statistics
    check_fresh(*tested, *engine, options);
    tested->drop_group();
    check_fresh(*tested, *engine, options);
    tested->start_accumulate(data.batch(), true);
    check_fresh(*tested, *engine, options);
    tested->start_update(1, 0.1);
    check_fresh(*tested, *engine, options);
    tested->swap_average();
    check_fresh(*tested, *engine, options);
    tested->swap_average();
    check_fresh(*tested, *engine, options);
    tested->release();
    tested->allocate();
    tested->write(nn::Arena::parameters, test::random_weights(model, 4));
    check_fresh(*tested, *engine, options);
  }
}

TEST_CASE("Evaluating between steps changes nothing behind a frozen front") {
  nn::Model model = normed(16);
  for (std::size_t i = 0; i < 6; ++i) model.layers[i].trainable = false;
  const nn::CompileOptions options{.batch = 6, .optimizer = {.learning_rate = 0.1}};
  const auto engine = cpu::make_engine(test::kOneThread);
  const test::OwnedBatch data(model, nn::Loss::softmax_cross_entropy, 6, 1);
  std::array<std::vector<float>, 2> trained;
  for (const bool evaluates : {false, true}) {
    const auto tested = test::executor(*engine, model, options);
    for (std::int64_t t = 1; t <= 3; ++t) {
      tested->train(data.batch(), t, 0.1);
      if (evaluates) tested->evaluate(data.batch(), {});
    }
    trained[evaluates ? 1 : 0] = test::read(*tested, nn::Arena::parameters);
  }
  CHECK(trained[0] == trained[1]);
}

TEST_CASE("A frozen front follows weights that are written between steps") {
  nn::Model model = normed(16);
  for (std::size_t i = 0; i < 6; ++i) model.layers[i].trainable = false;
  const nn::CompileOptions options{.batch = 6};
  const auto engine = cpu::make_engine(test::kOneThread);
  const test::OwnedBatch data(model, nn::Loss::softmax_cross_entropy, 6, 1);
  const auto tested = test::executor(*engine, model, options);
  const auto fresh = test::executor(*engine, model, options);
  tested->gradients(data.batch());
  for (nn::Executor* executor : {tested.get(), fresh.get()}) {
    executor->write(nn::Arena::parameters, test::random_weights(model, 3));
    executor->gradients(data.batch());
  }
  CHECK(test::read(*tested, nn::Arena::gradients) == test::read(*fresh, nn::Arena::gradients));
}

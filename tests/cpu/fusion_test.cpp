// What a convolution or a dense layer does of the layers behind it: the ReLU or ReLU6, and the sum
// with a shortcut.

#include <millrace/nn/layers/kinds.h>

#include <algorithm>
#include <functional>
#include <string>

#include "catch.h"
#include "cpu/compare.h"
#include "cpu/step_names.h"
#include "engines/layer_cases.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;
using test::has;
using test::Names;

namespace {

/// Full and short batches, in one thread, in two, and in slices, with the weights of `model`.
void check(const nn::Model& model) {
  INFO(model.name);
  const nn::CompileOptions options{
      .batch = 7, .other_batches = {3}, .optimizer = {.learning_rate = 0.01}};
  for (const cpu::EngineOptions& engine :
       {test::kOneThread, cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::together},
        cpu::EngineOptions{.threads = 2, .sharing = cpu::Sharing::slices}}) {
    test::check_model(model, options, {7, 5, 3, 1}, engine);
  }
}

/// Images whose values go far beyond 6, so that the ceiling cuts some off.
ModelBuilder loud(const std::string& name, std::int64_t channels) {
  ModelBuilder builder(name, {9, 8, 3});
  builder.conv(channels, 2).scale(9);
  return builder;
}

nn::Conv2D depthwise(std::int64_t channels) {
  return {.filters = channels, .padding = Padding::same, .groups = channels};
}

using Add = std::function<void(ModelBuilder&)>;

nn::Model with(const std::string& name, std::int64_t channels, const Add& add) {
  ModelBuilder builder(name, {9, 8, 3});
  builder.conv(channels, 2).relu();
  add(builder);
  return test::classified(builder);
}

}  // namespace

TEST_CASE("Convolutions of any groups and dense layers do the work of the ReLU6 behind them") {
  for (const std::int64_t channels : {6, 16, 24}) {
    ModelBuilder builder = loud("relu6", channels);
    builder.conv(channels, 1).relu6().add(depthwise(channels)).relu6();
    builder.add(nn::Conv2D{.filters = channels, .groups = 2}).relu6().flatten();
    const nn::Model model = builder.dense(30).relu6().dense(4).softmax().build();
    const Names names = test::step_names(model, true);
    for (const char* step : {"conv2", "conv3", "conv4", "dense1"}) {
      CHECK(names.contains(concat(step, " forward + relu")));
    }
    CHECK_FALSE(has(names, "relu6_1 forward"));
    check(model);
  }
}

TEST_CASE("Winograd's algorithm does the work of the ReLU6 behind it, or that is a step") {
  for (const std::int64_t channels : {32, 40}) {  // ours takes multiples of 32
    ModelBuilder builder = loud("winograd", 32);
    const nn::Model model =
        test::classified(builder.conv(channels, 3, Padding::same).relu6().conv(8, 2));
    const cpu::EngineOptions engine{.threads = 1, .algorithms = cpu::Algorithms::winograd};
    const Names names = test::step_names(model, true, engine);
    CHECK(names.contains("conv2 forward + relu") == (channels == 32));
    CHECK(has(names, "relu6_1 forward") == (channels == 40));
    test::check_model(model, {.batch = 7, .optimizer = {.learning_rate = 0.1}}, {7, 3}, engine);
  }
}

TEST_CASE("A sum does the work of the ReLU6 behind it") {
  for (const std::int64_t channels : {6, 16}) {
    ModelBuilder builder = loud("sum", channels);
    builder.residual([](ModelBuilder& b) { b.sigmoid(); }).relu6();
    const nn::Model model = test::classified(builder);
    CHECK(test::step_names(model, true).contains("add1 forward + relu"));
    check(model);
  }
}

TEST_CASE("A convolution adds what it makes to a shortcut that nobody reads later") {
  for (const std::int64_t channels : {6, 16, 40}) {
    const auto inner = [=](ModelBuilder& b) {
      b.conv(2 * channels, 1).relu6().add(depthwise(2 * channels)).relu6().conv(channels, 1);
    };
    const nn::Model residual = with("residual", channels, [&](ModelBuilder& b) {
      b.residual(inner).relu().residual(inner).relu6().residual(inner);
    });
    const Names names = test::step_names(residual, false);
    CHECK(names.contains("conv4 forward + add + relu"));
    CHECK(names.contains("conv7 forward + add + relu"));
    CHECK(names.contains("conv10 forward + add"));
    CHECK_FALSE(has(names, "add1"));
    check(residual);
  }
}

TEST_CASE("In training a convolution adds to a projection, but not to what gradients read") {
  const auto inner = [](ModelBuilder& b) { b.conv(16, 1).relu().conv(16, 3, Padding::same, 2); };
  const auto projection = [](ModelBuilder& b) { b.conv(16, 1, Padding::valid, 2); };
  const nn::Model model = with("projection", 16, [&](ModelBuilder& b) {
    b.residual(inner, projection).relu();
    b.residual([](ModelBuilder& c) { c.conv(16, 1).relu().conv(16, 1); }).relu();
  });
  const Names names = test::step_names(model, true);
  CHECK(names.contains("conv4 forward + add + relu"));
  CHECK(names.contains("add2 forward + relu"));  // the gradient of the weights before reads it
  CHECK(test::step_names(model, false).contains("conv6 forward + add + relu"));
  check(model);
}

TEST_CASE("A convolution does not add to what it reads itself, or what is read again") {
  const auto conv = [](ModelBuilder& b) { b.conv(16, 1); };
  const auto nothing = [](ModelBuilder&) {};
  const nn::Model itself = with("itself", 16, [&](ModelBuilder& b) { b.residual(conv).relu(); });
  CHECK(test::step_names(itself, false).contains("add1 forward + relu"));
  check(itself);
  const nn::Model again = with("again", 16, [&](ModelBuilder& b) {
    b.branches(
        {[&](ModelBuilder& c) { c.residual([&](ModelBuilder& d) { conv(d), d.relu(), conv(d); }); },
         nothing});
    b.concat();
  });
  CHECK(has(test::step_names(again, false), "add1 forward"));
  check(again);
  const nn::Model three = with("three", 16, [&](ModelBuilder& b) {
    b.branches({conv, nothing, conv}).add().relu();
  });
  CHECK(test::step_names(three, false).contains("add1 forward + relu"));
  check(three);
}

TEST_CASE("A convolution that may be Winograd's adds if our kernel can, else a step does") {
  const auto inner = [](ModelBuilder& b) { b.conv(32, 1).relu().conv(32, 3, Padding::same); };
  const nn::Model model = with("winograd", 32, [&](ModelBuilder& b) {
    b.conv(32, 3, Padding::same).relu().residual(inner).relu();
  });
  CHECK(test::step_names(model, false).contains("conv4 forward + add + relu"));
  const cpu::EngineOptions ours{.threads = 1, .algorithms = cpu::Algorithms::winograd};
  CHECK(test::step_names(model, false, ours).contains("conv4 forward + add + relu"));
  CHECK(test::step_names(model, true, ours).contains("add1 forward + relu"));
  const cpu::EngineOptions onednn{
      .threads = 2, .sharing = cpu::Sharing::together, .algorithms = cpu::Algorithms::winograd};
  CHECK(test::step_names(model, false, onednn).contains("add1 forward + relu"));
  check(model);
  for (const cpu::EngineOptions& engine : {ours, onednn}) {
    test::check_model(model, {.batch = 7, .optimizer = {.learning_rate = 0.01}}, {7, 3}, engine);
  }
}

TEST_CASE("Sums with images in another order, or of few pixels, agree with float64") {
  const auto two = [](ModelBuilder& b) { b.conv(16, 1).relu().conv(16, 1); };
  check(with("input", 3, [&](ModelBuilder& b) {
    b.branches({[](ModelBuilder& c) { c.conv(5, 1); }, [](ModelBuilder& c) { c.conv(11, 1); }});
    b.concat().residual(two).relu();
  }));
  ModelBuilder pixels("pixels", {4, 3, 16});
  pixels.residual(two).global_avg_pool().dense(16).relu();
  check(pixels.dense(3).softmax().build());
  ModelBuilder pixel("pixel", {1, 1, 16});
  pixel.conv(16, 1).relu().residual(two).relu();
  check(test::classified(pixel));
}

TEST_CASE("Rounds of a few samples do the sums and ReLU6 that whole batches do") {
  ModelBuilder builder("m", {150, 150, 1});  // 22 MiB of a slice's images: enough for rounds
  builder.conv(16).conv(32, 1).relu6().residual(
      [](ModelBuilder& b) { b.conv(32, 1).relu6().conv(32, 1); });
  const nn::Model model = test::classified(builder.relu6().max_pool());
  const nn::CompileOptions options{.batch = 16, .training = false};
  const auto rounds = test::executor(*cpu::make_engine({.threads = 2}), model, options);
  const auto whole = test::executor(
      *cpu::make_engine({.threads = 2, .sharing = cpu::Sharing::together}), model, options);
  const auto is_added = [](const nn::OpTiming& step) {
    return step.name.find(", conv4 forward + add + relu, max_pool1") != std::string::npos;
  };
  CHECK(std::ranges::any_of(rounds->timings(), is_added));
  for (const std::int64_t samples : {16, 11}) {
    const test::OwnedBatch data(model, nn::Loss::softmax_cross_entropy, samples, 3);
    test::check_close("prediction", test::predict(*rounds, data.batch()),
                      test::predict(*whole, data.batch()));
  }
}

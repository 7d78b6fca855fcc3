// Training at sizes that are in use, on the device under test: beside the CPU, as graphs and one by
// one, for thousands of steps, and with copies beside the steps. Numbers that are worth telling are
// printed on lines "measured: NAME = VALUE UNIT", which scripts/gpu-check collects.

#include <millrace/cpu/engine.h>
#include <millrace/gpu/activity.h>
#include <millrace/nn/zoo/zoo.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iostream>

#include "gpu/device_under_test.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::Precision;
using test::OwnedBatch;
using test::TestedEngine;

namespace {

constexpr int kSteps = 20;

struct Case {
  const char* name;
  nn::Model model;
  nn::CompileOptions options;
};

/// The net of fashion-mnist.ini and the convnet of the zoo; smaller where the device is plain
/// loops. By SGD: Adam's first steps go by the sign of a gradient, be it no more than a rounding of
/// fp16.
std::vector<Case> cases() {
  const bool is_gpu = gpu::test::is_gpu();
  const std::int64_t size = is_gpu ? 150 : 24;
  const nn::OptimizerOptions optimizer{.learning_rate = 1e-3, .momentum = 0.9};
  return {{"mlp",
           nn::zoo_model(is_gpu ? "mlp:500" : "mlp:50", {28, 28, 1}, 10),
           {.batch = is_gpu ? 100 : 20, .optimizer = optimizer}},
          {"cnn",
           nn::zoo_model(is_gpu ? "cnn" : "cnn:8,8:16", {size, size, 3}, 4),
           {.batch = is_gpu ? 32 : 8, .optimizer = optimizer}}};
}

void tell(const std::string& name, double value, const char* unit) {
  std::cout << "measured: " << name << " = " << value << ' ' << unit << '\n';
}

/// Mean losses of as many steps, each on a batch of its own.
std::vector<double> losses(const nn::Engine& engine, const Case& c) {
  const auto executor = test::executor(engine, c.model, c.options);
  std::vector<double> all;
  for (int t = 1; t <= kSteps; ++t) {
    const OwnedBatch data(c.model, test::kSoftmax, c.options.batch, static_cast<std::uint64_t>(t));
    const nn::StepResult result = executor->train(data.batch(), t, executor->learning_rate());
    all.push_back(result.loss_sum / result.weight_sum);
  }
  return all;
}

void compare_with_cpu(const Case& c, const nn::Engine& cpu, Precision precision, double tolerance) {
  const TestedEngine tested(precision);
  const std::vector<double> here = losses(*tested.engine, c);
  const std::vector<double> there = losses(cpu, c);
  const std::string name = concat(c.name, ' ', nn::to_string(precision));
  double worst = 0;
  for (std::size_t i = 0; i < here.size(); ++i) {
    std::cout << "curve: " << name << ' ' << i + 1 << ' ' << there[i] << ' ' << here[i] << '\n';
    worst = std::max(worst, std::abs(here[i] - there[i]) / there[i]);
    CHECK(std::isfinite(here[i]));
  }
  tell(concat(name, " loss of ", kSteps, " steps, worst difference to the CPU"), worst,
       "of the loss");
  INFO(name);
  CHECK(worst <= tolerance);
  tested.check_device();
}

/// Batches of random bytes in pinned memory, copied, cast and trained through three slots in turn.
class Feed {
 public:
  Feed(const nn::Engine& engine, const Case& c)
      : executor_(test::executor(engine, c.model, c.options)), batch_(c.options.batch) {
    const std::int64_t bytes = batch_ * c.model.input.elements();
    labels_.resize(static_cast<std::size_t>(batch_));
    for (std::size_t i = 0; i < labels_.size(); ++i) labels_[i] = static_cast<std::int32_t>(i % 4);
    const auto channels = static_cast<std::size_t>(c.model.input[-1]);
    normalization_ = {std::vector<float>(channels, 1.0F / 128),
                      std::vector<float>(channels, -1.0F)};
    for (Turn& turn : turns_) {
      turn.pixels = engine.host_buffer(Bytes{static_cast<std::uint64_t>(bytes)});
      Random random(3, 0, 0, Purpose::user);
      for (std::byte& pixel : turn.pixels.as<std::byte>()) {
        pixel = static_cast<std::byte>(random.below(256));
      }
      turn.slot = engine.device_input({.sample = c.model.input, .capacity = batch_});
    }
  }

  /// The mean loss of these steps.
  double train(int steps) {
    for (int i = 0; i < steps; ++i) {
      Turn& turn = turns_[static_cast<std::size_t>(step_) % turns_.size()];
      Completion copied =
          turn.slot->upload({.pixels = turn.pixels.data(), .labels = labels_, .samples = batch_});
      Completion cast = turn.slot->cast(normalization_);
      copied.wait();
      cast.wait();
      nn::Batch batch;
      batch.device = turn.slot.get();
      batch.samples = batch_;
      executor_->start_train(batch, ++step_, 1e-4);
    }
    const nn::StepResult result = executor_->finish();
    return result.loss_sum / result.weight_sum;
  }
  [[nodiscard]] nn::Executor& executor() { return *executor_; }

 private:
  struct Turn {
    Buffer pixels;
    std::unique_ptr<nn::DeviceInput> slot;
  };
  std::unique_ptr<nn::Executor> executor_;
  std::int64_t batch_;
  std::vector<std::int32_t> labels_;
  nn::Normalization normalization_;
  std::array<Turn, 3> turns_;
  std::int64_t step_ = 0;
};

}  // namespace

TEST_CASE("Twenty steps lose on the device what they lose on the CPU") {
  const auto cpu = cpu::make_engine({});
  for (const Case& c : cases()) {
    compare_with_cpu(c, *cpu, Precision::fp32, 1e-4);
    compare_with_cpu(c, *cpu, Precision::fp16, 1e-2);
  }
}

TEST_CASE("Twenty steps as graphs are the steps queued one by one, to the bit") {
  for (const Case& c : cases()) {
    for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
      if (!test::computes(precision)) continue;
      INFO(c.name << ' ' << nn::to_string(precision));
      const auto weights = [&](bool graphs) {
        const TestedEngine tested({.precision = precision, .graphs = graphs});
        Feed feed(*tested.engine, c);
        CHECK(std::isfinite(feed.train(kSteps)));
        return test::read(feed.executor(), nn::Arena::parameters);
      };
      CHECK(test::same_bits(weights(true), weights(false)));
    }
  }
}

TEST_CASE("The device's memory is what was planned, and stays the same over thousands of steps") {
  const Case c = cases().front();
  const TestedEngine tested(Precision::fp16);
  const auto counted = test::executor(*tested.engine, c.model, c.options);
  counted->release();  // what libraries and kernels take when they are first used is taken now
  const Bytes before = tested.device->memory().free;
  counted->allocate();
  const auto planned = static_cast<double>(nn::total(counted->memory()).count);
  const auto taken = static_cast<double>((before - tested.device->memory().free).count);
  tell("memory planned", planned, "bytes");
  tell("memory taken", taken, "bytes");
  // A GPU gives memory in pieces of 2 MiB.
  const double piece = gpu::test::is_gpu() ? 0x1p21 : 0;
  CHECK(std::abs(taken - planned) <= piece * static_cast<double>(counted->memory().size()));

  Feed feed(*tested.engine, c);
  feed.train(9);
  const Bytes at_first = tested.device->memory().free;
  const int steps = gpu::test::is_gpu() ? 10000 : 50;
  CHECK(std::isfinite(feed.train(steps)));
  const Bytes at_last = tested.device->memory().free;
  tell(concat("memory drift over ", steps, " steps"),
       static_cast<double>(at_first.count) - static_cast<double>(at_last.count), "bytes");
  CHECK(at_first == at_last);
}

TEST_CASE("Idle time and overlap are told of steps whose batches are copied") {
  const Case c = cases().back();
  const TestedEngine tested(Precision::fp16);
  Feed feed(*tested.engine, c);
  feed.train(9);  // captures and the first of everything
  gpu::ActivityRecorder recorder;
  const int steps = gpu::test::is_gpu() ? 500 : 9;
  const auto begin = gpu::Activity::Clock::now();
  CHECK(std::isfinite(feed.train(steps)));
  const auto end = gpu::Activity::Clock::now();
  tell("cnn fp16 step with copies",
       1e6 * std::chrono::duration<double>(end - begin).count() / steps, "us");
  if (!recorder.why_none().empty()) {
    std::cout << "not measured: idle and overlap: " << recorder.why_none() << '\n';
    return;
  }
  const std::vector<gpu::Activity> activities = recorder.stop();
  const gpu::ActivitySummary summary = gpu::summarize(activities, begin, end);
  tell("idle beside the input", 100 * (1 - summary.busy()), "%");
  tell("copies beside compute", 100 * summary.overlap(), "%");
  std::cout << gpu::to_text(summary);
  CHECK(summary.graphs + summary.kernels >= static_cast<std::uint64_t>(steps));
}

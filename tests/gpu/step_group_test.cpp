// Several training steps as one launch.

#include <millrace/core/error.h>

#include <numeric>

#include "catch.h"
#include "gpu/recorded_engine.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using nn::Precision;
using test::fill;
using test::OwnedBatch;
using test::read;
using test::RecordedEngine;
using test::same_bits;

namespace {

constexpr std::int64_t kRows = 4;
using Kind = gpu::Recorded::Kind;

nn::Model small_convnet() {
  ModelBuilder builder("cnn", {8, 6, 3});
  builder.conv(8).batch_norm().relu().max_pool().flatten();
  return builder.dropout(0.5F).dense(12).relu().dense(10).softmax().build();
}

nn::CompileOptions adam() {
  return {.batch = kRows,
          .other_batches = {3},
          .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 1e-3},
          .gradient = {.l2 = 1e-4},
          .seed = 3};
}

struct Trained {
  std::vector<float> parameters, second_moment;
  nn::StepResult result;
  std::optional<nn::LossScaleState> scale;
};

void check_same(const Trained& a, const Trained& b) {
  CHECK(same_bits(a.parameters, b.parameters));
  CHECK(same_bits(a.second_moment, b.second_moment));
  CHECK(a.result.loss_sum == b.result.loss_sum);
  CHECK(a.result.correct == b.result.correct);
  CHECK(a.result.samples == b.result.samples);
  CHECK(a.scale == b.scale);
}

double rate_of(std::int64_t t) {
  return 1e-3 / static_cast<double>(t);
}

std::unique_ptr<nn::DeviceInput> slot_for(const nn::Engine& engine, const nn::Model& model,
                                          std::int64_t capacity) {
  return engine.device_input(
      {.sample = model.input, .pixels = DType::f32, .capacity = capacity, .step = kRows});
}

/// How many samples lie in the slot for each round of it.
const std::vector<std::int64_t> kRounds{20, 15, 20, 20, 15, 15, 20};

/// Rounds through one slot of five steps, either in one go or step by step from slots of one step.
Trained train(const gpu::EngineOptions& options, bool together) {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(options);
  const auto executor = test::executor(*tested.engine, model, adam());
  const auto slot = slot_for(*tested.engine, model, 5 * kRows);
  std::int64_t t = 1;
  for (const std::int64_t samples : kRounds) {
    OwnedBatch data(model, nn::Loss::softmax_cross_entropy, samples, static_cast<std::uint64_t>(t));
    data.batch().pass = static_cast<std::uint32_t>(t);
    const std::int64_t steps = (samples + kRows - 1) / kRows;
    if (together) {
      fill(*slot, data.batch(), data.batch().input.data);
      std::vector<double> rates;
      for (std::int64_t i = 0; i < steps; ++i) rates.push_back(rate_of(t + i));
      executor->start_steps(test::in_slot(data.batch(), *slot), kRows, t, rates);
      t += steps;
    } else {
      for (std::int64_t i = 0; i < steps; ++i, ++t) {
        const std::int64_t count = std::min(kRows, samples - i * kRows);
        executor->start_train(nn::slice(data.batch(), i * kRows, count), t, rate_of(t));
      }
    }
  }
  const nn::StepResult result = executor->finish();
  tested.check_device();
  return {read(*executor, Arena::parameters), read(*executor, Arena::state1), result,
          executor->loss_scale()};
}

/// The same, where two steps together make an update.
Trained train_in_pairs(const gpu::EngineOptions& options, bool together) {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(options);
  nn::CompileOptions compile = adam();
  compile.accumulate = 2;
  const auto executor = test::executor(*tested.engine, model, compile);
  const auto slot = slot_for(*tested.engine, model, 5 * kRows);
  std::int64_t t = 1;
  for (const std::int64_t samples : kRounds) {
    OwnedBatch data(model, nn::Loss::softmax_cross_entropy, samples, static_cast<std::uint64_t>(t));
    data.batch().pass = static_cast<std::uint32_t>(t);
    const std::int64_t updates = (samples + 2 * kRows - 1) / (2 * kRows);
    std::vector<double> rates;
    for (std::int64_t i = 0; i < updates; ++i) rates.push_back(rate_of(t + i));
    if (together) {
      fill(*slot, data.batch(), data.batch().input.data);
      executor->start_steps(test::in_slot(data.batch(), *slot), kRows, t, rates);
    } else {
      executor->start_steps(data.batch(), kRows, t, rates);  // from host memory: one by one
    }
    t += updates;
  }
  const nn::StepResult result = executor->finish();
  tested.check_device();
  return {read(*executor, Arena::parameters), read(*executor, Arena::state1), result,
          executor->loss_scale()};
}

/// A slot of many steps, uploaded anew before each group as a pipeline does, and its executor.
class Groups {
 public:
  Groups(const RecordedEngine& tested, const nn::Model& model, std::int64_t capacity)
      : tested_(tested),
        data_(model, nn::Loss::softmax_cross_entropy, capacity, 1),
        executor_(test::executor(*tested.engine, model, adam())),
        slot_(slot_for(*tested.engine, model, capacity)),
        pixels_(tested.engine->host_buffer(Bytes{data_.batch().input.bytes()})) {
    std::memcpy(pixels_.data(), data_.batch().input.data, pixels_.size());
  }

  void train(std::int64_t samples) {
    nn::Batch part = nn::slice(data_.batch(), 0, samples);
    fill(*slot_, part, pixels_.data());
    part = test::in_slot(part, *slot_);
    const std::int64_t steps = (samples + kRows - 1) / kRows;
    const std::vector<double> rates(static_cast<std::size_t>(steps), 1e-3);
    executor_->start_steps(part, kRows, t_, rates);
    t_ += steps;
  }
  [[nodiscard]] nn::Executor& executor() { return *executor_; }
  [[nodiscard]] int count(Kind kind) const {
    int sum = 0;
    for (const gpu::Recorded& recorded : tested_.device->record()) sum += recorded.kind == kind;
    return sum;
  }

 private:
  const RecordedEngine& tested_;
  OwnedBatch data_;
  std::unique_ptr<nn::Executor> executor_;
  std::unique_ptr<nn::DeviceInput> slot_;
  Buffer pixels_;  // pinned
  std::int64_t t_ = 1;
};

}  // namespace

TEST_CASE("Groups of steps are the steps one by one, to the bit, captured or not") {
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    INFO(nn::to_string(precision));
    const Trained single = train({.precision = precision}, false);
    check_same(train({.precision = precision, .graphs = true}, true), single);
    check_same(train({.precision = precision, .graphs = false}, true), single);
  }
}

TEST_CASE("Groups of steps that make an update in pairs are the pairs one by one, to the bit") {
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    INFO(nn::to_string(precision));
    const Trained single = train_in_pairs({.precision = precision}, false);
    check_same(train_in_pairs({.precision = precision, .graphs = true}, true), single);
    check_same(train_in_pairs({.precision = precision, .graphs = false}, true), single);
  }
}

TEST_CASE("A pair of steps that overflows is skipped as one, with the loss scale") {
  const gpu::EngineOptions options{.precision = Precision::fp16,
                                   .loss_scale = {.initial = 0x1p24, .growth_steps = 7}};
  const Trained single = train_in_pairs(options, false), groups = train_in_pairs(options, true);
  REQUIRE(groups.scale.has_value());
  CHECK(groups.scale->skipped > 0);
  check_same(groups, single);
}

TEST_CASE("A step that overflows within a group is skipped there, and the others are not") {
  // Five halvings until float16 holds the gradients: within the groups of the first rounds.
  const gpu::EngineOptions options{.precision = Precision::fp16,
                                   .loss_scale = {.initial = 0x1p24, .growth_steps = 7}};
  const Trained single = train(options, false), groups = train(options, true);
  REQUIRE(groups.scale.has_value());
  CHECK(groups.scale->skipped > 0);
  CHECK(groups.scale->skipped < 30);
  check_same(groups, single);
}

TEST_CASE("A group that comes again is one launch, with numbers that travel with theirs") {
  const RecordedEngine tested(Precision::fp16);
  Groups groups(tested, small_convnet(), 20 * kRows);
  groups.train(80);  // queued as it is
  groups.train(80);  // captured
  tested.device->clear();
  tested.device->forbid_host_stops(true);
  for (int i = 0; i < 3; ++i) groups.train(80);
  tested.device->forbid_host_stops(false);
  CHECK(groups.count(Kind::graph) == 3);
  // A normalisation, and two launches that put twenty learning rates there.
  CHECK(groups.count(Kind::launch) == 3 * (1 + 2));
  CHECK(groups.count(Kind::begin_capture) == 0);
  CHECK(groups.executor().finish().samples == 5 * 80);
  tested.check_device();
}

TEST_CASE("Groups of other sizes have graphs of their own, and only a few of them are kept") {
  const RecordedEngine tested(Precision::fp32);
  Groups groups(tested, small_convnet(), 20 * kRows);
  for (int round = 0; round < 3; ++round) {
    for (const std::int64_t samples : {80, 79, 40, 4}) groups.train(samples);
  }
  CHECK(groups.count(Kind::begin_capture) == 4);
  CHECK(groups.count(Kind::graph) == 8);
  std::int64_t trained = groups.executor().finish().samples;
  CHECK(trained == 3 * (80 + 79 + 40 + 4));
  tested.device->clear();
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t samples = 5; samples < 75; ++samples) groups.train(samples);
  }
  CHECK(groups.count(Kind::begin_capture) == 32 - 4);
  CHECK(groups.executor().finish().samples == 2 * (5 + 74) * 70 / 2);
  tested.check_device();
}

TEST_CASE("More steps than a graph holds are several launches") {
  const RecordedEngine tested(Precision::fp32);
  Groups groups(tested, small_convnet(), 150 * kRows);
  for (int i = 0; i < 3; ++i) groups.train(150 * kRows - 1);
  CHECK(groups.count(Kind::graph) == 2 * 3);  // 64, 64 and 22 steps
  CHECK(groups.executor().finish().samples == 3 * (150 * kRows - 1));
  tested.check_device();
}

TEST_CASE("Memory that an executor gives back takes its groups' graphs along") {
  const RecordedEngine tested(Precision::fp32);
  Groups groups(tested, small_convnet(), 5 * kRows);
  for (int i = 0; i < 3; ++i) groups.train(20);
  groups.executor().release();
  groups.executor().allocate();
  groups.executor().write(nn::Arena::parameters, test::random_weights(small_convnet(), 11));
  const int captures = groups.count(Kind::begin_capture);
  for (int i = 0; i < 3; ++i) groups.train(20);
  CHECK(groups.count(Kind::begin_capture) == captures + 1);
  CHECK(groups.executor().finish().samples == 60);
  tested.check_device();
}

TEST_CASE("A group whose last step reaches beyond the slot is refused with the size it needs") {
  const RecordedEngine tested(Precision::fp32);
  Groups groups(tested, small_convnet(), 5 * kRows + 2);
  CHECK_THROWS_WITH(groups.train(22), Catch::Contains("needs a slot of"));
}

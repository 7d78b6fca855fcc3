#include "arena_steps.h"
#include "catch.h"

#include <millrace/gpu/kernels/loss.h>
#include <millrace/nn/loss.h>

#include <limits>

namespace {

using namespace millrace;
using gpu::Type;
using nn::Loss;

/// Rows of random logits with either kind of labels; stored channels beyond the outputs are junk.
struct Rows {
  gpu::LossSize size;
  test::Shared<float> logits = test::shared<float>(0);
  test::Shared<float> weights = test::shared<float>(0);
  test::Shared<float> labels = test::shared<float>(0);
  test::Shared<std::int32_t> indices = test::shared<std::int32_t>(0);
  std::int64_t valid;

  Rows(const gpu::LossSize& of, std::int64_t valid_rows) : size(of), valid(valid_rows) {
    Random random(3, 0, 0, Purpose::user);
    const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    logits.resize(count(size.samples * size.stored));
    for (float& x : logits) x = static_cast<float>(6 * random.normal());
    labels.resize(count(size.samples * size.outputs));
    for (float& y : labels) y = random.coin(0.5) ? 1.0F : static_cast<float>(random.uniform());
    for (std::int64_t n = 0; n < size.samples; ++n) {
      weights.push_back(static_cast<float>(random.uniform() + 0.5));
      if (!nn::loss_info(size.loss).takes_class_numbers(size.outputs)) continue;
      const auto classes =
          static_cast<std::uint64_t>(nn::loss_info(size.loss).classes(size.outputs));
      indices.push_back(static_cast<std::int32_t>(random.below(classes)));
    }
  }
  /// Gives each output a weight of its own. A third of them are 0, where the label is no number.
  void weigh_outputs() {
    Random random(4, 0, 0, Purpose::user);
    size.weighs_outputs = true;
    weights.resize(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
      weights[i] = random.below(3) == 0 ? 0.0F : static_cast<float>(random.uniform() + 0.5);
      if (weights[i] == 0) labels[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  [[nodiscard]] const void* label_data() const {
    return size.labels_are_indices ? static_cast<const void*>(indices.data()) : labels.data();
  }
};

struct Outcome {
  gpu::Scalars scalars{};
  test::Stored dlogits;
};

Outcome computed(Type type, const Rows& rows, bool weighted, double scale, double penalty = 0) {
  const auto samples = static_cast<std::size_t>(rows.size.samples);
  Outcome outcome{.dlogits = test::Stored(type, rows.logits.size())};
  for (std::size_t i = 0; i < rows.logits.size(); ++i) outcome.dlogits.set(i, 77);
  auto losses = test::shared<double>(2 * samples, -1);
  auto right = test::shared<std::uint8_t>(samples, 9);
  auto scalars = test::shared<gpu::Scalars>(1);
  scalars[0].samples = rows.valid;
  scalars[0].loss_scale.scale = scale;
  scalars[0].penalty = penalty;
  const float* const weights = weighted ? rows.weights.data() : nullptr;
  test::run(gpu::loss(type, rows.logits.data(), rows.label_data(), weights, outcome.dlogits.data(),
                      losses.data(), right.data(), rows.size, scalars.data()));
  test::run(gpu::loss_totals(losses.data(), weights, right.data(), rows.size, scalars.data()));
  outcome.scalars = scalars[0];
  return outcome;
}

nn::StepResult expected(const Rows& rows, bool weighted, std::vector<double>& gradient) {
  const auto k = static_cast<std::size_t>(rows.size.outputs);
  std::vector<double> logits;
  for (std::size_t i = 0; i < rows.logits.size(); ++i) {
    if (i % static_cast<std::size_t>(rows.size.stored) < k) {
      logits.push_back(static_cast<double>(rows.logits[i]));
    }
  }
  gradient.assign(logits.size(), 0);
  const auto* const data = static_cast<const std::byte*>(rows.label_data());
  const ConstTensorView labels =
      rows.size.labels_are_indices
          ? ConstTensorView(data, Shape{rows.size.samples}, DType::i32)
          : ConstTensorView(data, Shape{rows.size.samples, rows.size.outputs}, DType::f32);
  return nn::evaluate_loss<double>(
      rows.size.loss, logits, labels,
      weighted ? std::span<const float>(rows.weights) : std::span<const float>(), rows.valid,
      rows.size.outputs, gradient, rows.size.label_smoothing, weighted && rows.size.weighs_outputs);
}

/// Half a unit in the last place of the type, and the float32 arithmetic before it.
double allowed(Type type, double value) {
  if (type == Type::f32) return 2e-6 * std::abs(value) + 1e-8;
  const double ulp = type == Type::f16 ? 0x1p-10 : 0x1p-7;
  return (ulp / 2 + 2e-6) * std::abs(value) + 0x1p-24;
}

void check_loss(Type type, const Rows& rows, bool weighted) {
  const double scale = type == Type::f16 ? 1024 : 1;
  const Outcome outcome = computed(type, rows, weighted, scale);
  std::vector<double> gradient;
  const nn::StepResult result = expected(rows, weighted, gradient);
  CHECK(outcome.scalars.results.loss_sum == Approx(result.loss_sum).epsilon(1e-6));
  CHECK(outcome.scalars.results.weight_sum == Approx(result.weight_sum).epsilon(1e-12));
  CHECK(outcome.scalars.results.correct == result.correct);
  CHECK(outcome.scalars.results.counted == result.samples);
  std::size_t wrong = 0;
  for (std::int64_t n = 0; n < rows.size.samples; ++n) {
    for (std::int64_t j = 0; j < rows.size.stored; ++j) {
      const auto got = static_cast<double>(
          outcome.dlogits.get(static_cast<std::size_t>(n * rows.size.stored + j)));
      const double wanted =
          j < rows.size.outputs
              ? scale * gradient[static_cast<std::size_t>(n * rows.size.outputs + j)]
              : 0;
      if (!(std::abs(got - wanted) <= allowed(type, wanted))) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("Loss, gradient and right answers are nn's, scaled and rounded once") {
  struct Case {
    Loss loss;
    std::int64_t outputs;
    bool by_number;
  };
  std::vector<Case> cases;
  for (std::size_t i = 0; i < nn::Losses::size; ++i) {
    const auto loss = static_cast<Loss>(i);
    for (const std::int64_t outputs : {1, 2, 5, 10}) {
      cases.push_back({loss, outputs, false});
      if (nn::loss_info(loss).takes_class_numbers(outputs)) cases.push_back({loss, outputs, true});
    }
  }
  for (const Case& one : cases) {
    const nn::LossInfo& info = nn::loss_info(one.loss);
    for (const double smoothing : {0.0, 0.1}) {
      if (smoothing != 0 && info.classes(one.outputs) == 0) continue;
      DYNAMIC_SECTION(info.name << " " << one.outputs
                                << (one.by_number ? " by number" : " by value") << ", smoothing "
                                << smoothing) {
        const gpu::LossSize size{.loss = one.loss,
                                 .samples = 37,
                                 .outputs = one.outputs,
                                 .stored = (one.outputs + 7) / 8 * 8,
                                 .label_smoothing = smoothing,
                                 .labels_are_indices = one.by_number};
        for (const Type type : {Type::f32, Type::f16, Type::bf16}) {
          check_loss(type, Rows(size, 37), true);
          check_loss(type, Rows(size, 20), false);  // the rest gets no gradient
        }
      }
    }
  }
}

TEST_CASE("Weights of outputs are nn's, masks before labels that are no numbers among them") {
  for (std::size_t i = 0; i < nn::Losses::size; ++i) {
    const nn::LossInfo& info = nn::loss_info(static_cast<Loss>(i));
    const gpu::LossSize size{.loss = static_cast<Loss>(i),
                             .samples = 37,
                             .outputs = 5,
                             .stored = 8,
                             .labels_are_indices = false};
    DYNAMIC_SECTION(info.name) {
      for (const Type type : {Type::f32, Type::f16, Type::bf16}) {
        Rows rows(size, type == Type::f32 ? 37 : 20);
        rows.weigh_outputs();
        if (info.weighs_outputs) {
          check_loss(type, rows, true);
        } else {
          CHECK_THROWS_WITH(computed(type, rows, true, 1),
                            Catch::Contains("weights: outputs cannot have weights"));
        }
      }
    }
  }
}

TEST_CASE("Logits of any size have a finite loss") {
  Rows rows({.loss = Loss::softmax_cross_entropy, .samples = 1, .outputs = 3, .stored = 3}, 1);
  rows.logits = {1e4F, -3e38F, 9e3F};
  rows.indices = {2};
  CHECK(computed(Type::f32, rows, false, 1).scalars.results.loss_sum ==
        Approx(1000).epsilon(1e-12));
  rows.indices = {0};
  CHECK(computed(Type::f32, rows, false, 1).scalars.results.loss_sum == 0);
}

TEST_CASE("Of equal logits the first is the answer") {
  Rows rows({.loss = Loss::softmax_cross_entropy, .samples = 2, .outputs = 3, .stored = 3}, 2);
  rows.logits = {0, 2, 2, 2, 2, 0};
  rows.indices = {1, 1};
  CHECK(computed(Type::f32, rows, false, 1).scalars.results.correct == 1);
}

TEST_CASE("Results add up until they are collected, with the penalty for each sample") {
  const Rows rows({.loss = Loss::softmax_cross_entropy, .samples = 8, .outputs = 3, .stored = 8},
                  5);
  std::vector<double> gradient;
  const nn::StepResult one = expected(rows, true, gradient);
  Outcome outcome = computed(Type::f32, rows, true, 1, 0.25);
  CHECK(outcome.scalars.results.loss_sum == Approx(one.loss_sum + 0.25 * 5).epsilon(1e-6));
  const auto losses = test::shared<double>(8, 2.0);
  const auto right = test::shared<std::uint8_t>(8, 1);
  auto scalars = test::shared<gpu::Scalars>(1);
  scalars[0] = outcome.scalars;
  test::run(gpu::loss_totals(losses.data(), nullptr, right.data(), rows.size, scalars.data()));
  outcome.scalars = scalars[0];
  CHECK(outcome.scalars.results.loss_sum == Approx(one.loss_sum + 2 * 0.25 * 5 + 10).epsilon(1e-6));
  CHECK(outcome.scalars.results.weight_sum == Approx(one.weight_sum + 5));
  CHECK(outcome.scalars.results.correct == one.correct + 5);
  CHECK(outcome.scalars.results.counted == 10);
}

TEST_CASE("A label that is no class makes the loss NaN and leaves the weights alone") {
  for (const std::int32_t label : {-1, 3}) {
    Rows rows({.loss = Loss::softmax_cross_entropy, .samples = 2, .outputs = 3, .stored = 8}, 2);
    rows.indices = {label, 1};
    const Outcome outcome = computed(Type::f16, rows, false, 1);
    CHECK(std::isnan(outcome.scalars.results.loss_sum));
    for (std::size_t j = 0; j < 8; ++j) CHECK(outcome.dlogits.get(j) == 0);
    CHECK(outcome.dlogits.get(9) != 0);
  }
}

TEST_CASE("Labels by number for several sigmoids are refused") {
  const Rows rows({.loss = Loss::sigmoid_cross_entropy, .samples = 2, .outputs = 3, .stored = 8},
                  2);
  CHECK_THROWS_WITH(computed(Type::f32, rows, false, 1),
                    Catch::Contains("not for sigmoid cross-entropy of 3 outputs"));
}

}  // namespace

#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>

#include "catch.h"
#include "recorded.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

/// The labels of a recorded case, in the form that it has.
struct RecordedLabels {
  explicit RecordedLabels(const nlohmann::json& labels) {
    const auto rows = static_cast<std::int64_t>(labels.size());
    if (labels[0].is_array()) {
      for (const double value : test::flat(labels)) soft.push_back(static_cast<float>(value));
      const std::int64_t columns = static_cast<std::int64_t>(soft.size()) / rows;
      view = ConstTensorView(std::span<const float>(soft), {rows, columns});
    } else {
      classes = test::list<std::int32_t>(labels);
      view = ConstTensorView(std::span<const std::int32_t>(classes), {rows});
    }
  }
  std::vector<std::int32_t> classes;
  std::vector<float> soft;
  ConstTensorView view;
};

/// The loss whose kernel is "softmax_loss" for "softmax".
Loss recorded_loss(const std::string& name) {
  std::size_t i = 0;
  while (i < Losses::size && name + "_loss" != loss_info(static_cast<Loss>(i)).kernel) ++i;
  REQUIRE(i < Losses::size);
  return static_cast<Loss>(i);
}

template <class Float>
void check_recorded(const nlohmann::json& record, double relative) {
  const std::vector<double> exact = test::flat(record["logits"]);
  const std::vector<Float> logits(exact.begin(), exact.end());
  RecordedLabels labels(record["labels"]);
  const bool weighs_outputs = !record["weights"].empty() && record["weights"][0].is_array();
  std::vector<float> weights;
  for (const double weight : test::flat(record["weights"])) {
    weights.push_back(static_cast<float>(weight));
  }
  for (std::size_t i = 0; weighs_outputs && i < weights.size(); ++i) {
    if (weights[i] == 0) labels.soft[i] = std::nanf("");  // is not read
  }
  const auto samples = static_cast<std::int64_t>(record["logits"].size());
  const std::int64_t k = static_cast<std::int64_t>(logits.size()) / samples;
  const Loss loss = recorded_loss(record["loss"]);
  std::vector<Float> gradient(logits.size());
  const StepResult result = evaluate_loss<Float>(loss, logits, labels.view, weights, samples, k,
                                                 std::span<Float>(gradient),
                                                 record.value("smoothing", 0.0), weighs_outputs);
  CHECK(result.mean_loss() == Approx(record["mean_loss"].get<double>()).epsilon(relative));
  const std::vector<double> expected = test::flat(record["gradient"]);
  // Parts of a focal loss's gradient cancel, and leave the rounding of the largest.
  const auto is_smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
  const double largest = std::abs(*std::max_element(expected.begin(), expected.end(), is_smaller));
  const bool cancels =
      (loss == Loss::softmax_focal || loss == Loss::sigmoid_focal) && std::is_same_v<Float, float>;
  const double margin = cancels ? 2e-7 * largest : 1e-12;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(static_cast<double>(gradient[i]) == Approx(expected[i]).epsilon(relative).margin(margin));
  }
}

TEST_CASE("Losses and gradients are PyTorch's and Keras's, for logits of any size") {
  for (const auto& record : test::recorded("losses.json")) {
    DYNAMIC_SECTION(record["name"].get<std::string>() << ", " << record["loss"]) {
      check_recorded<double>(record, 1e-6);
    }
  }
}

TEST_CASE("Losses of float logits differ by their rounding alone") {
  for (const auto& record : test::recorded("losses.json")) {
    if (record["name"].get<std::string>().starts_with("usual")) check_recorded<float>(record, 1e-5);
  }
}

TEST_CASE("The sum over samples is weighted, the gradient divides by the number of samples") {
  const std::vector<double> logits{2, 1, 0.1, 2, 1, 0.1};
  const std::vector<std::int32_t> labels{0, 0};
  const std::vector<float> weights{3, 0};
  std::vector<double> gradient(6);
  const StepResult result = evaluate_loss<double>(Loss::softmax_cross_entropy, logits,
                                                  ConstTensorView(std::span(labels), {2}), weights,
                                                  2, 3, std::span<double>(gradient));
  const double cross_entropy = 0.4170300162778335;  // PyTorch's for (2, 1, 0.1), class 0
  CHECK(result.loss_sum == Approx(3 * cross_entropy).epsilon(1e-12));
  CHECK(result.weight_sum == 3);
  CHECK(result.mean_loss() == Approx(1.5 * cross_entropy).epsilon(1e-12));
  CHECK(gradient[0] == Approx(1.5 * (std::exp(-cross_entropy) - 1)).epsilon(1e-12));
  CHECK(gradient[3] == 0);
}

TEST_CASE("Smoothed labels give the loss of PyTorch and leave the count of right answers alone") {
  const std::vector<double> logits{2, 1, 0.1};
  const std::vector<std::int32_t> label{0};
  std::vector<double> gradient(3);
  const StepResult result = evaluate_loss<double>(Loss::softmax_cross_entropy, logits,
                                                  ConstTensorView(std::span(label), {1}), {}, 1, 3,
                                                  std::span<double>(gradient), 0.1);
  CHECK(result.loss_sum == Approx(0.5136966829445002).epsilon(1e-12));
  CHECK(result.correct == 1);
  CHECK(gradient[0] == Approx(std::exp(-0.4170300162778335) - 0.9 - 0.1 / 3).epsilon(1e-12));
}

TEST_CASE("Right answers are counted: the first maximum, or a sigmoid above one half") {
  const std::vector<float> logits{1, 1, 0, 0, 2, 2};
  const std::vector<std::int32_t> labels{0, 2};
  const auto softmax = [&](std::span<const std::int32_t> classes) {
    return evaluate_loss<float>(Loss::softmax_cross_entropy, logits, ConstTensorView(classes, {2}),
                                {}, 2, 3, {});
  };
  CHECK(softmax(labels).correct == 1);  // sample 0; of sample 1 the first maximum is class 1
  const std::vector<float> one{-1, 0, 0.5F};
  const std::vector<std::int32_t> bits{0, 1, 1};  // a probability of exactly 0.5 means class 0
  const StepResult sigmoid = evaluate_loss<float>(
      Loss::sigmoid_cross_entropy, one, ConstTensorView(std::span(bits), {3}), {}, 3, 1, {});
  CHECK(sigmoid.correct == 2);
  CHECK(sigmoid.accuracy() == Approx(2.0 / 3));
}

TEST_CASE("Rows beyond the valid samples get a gradient of zero and are not read") {
  const float trap = std::nanf("");
  const std::vector<float> logits{0, 1, trap, trap};
  const std::vector<std::int32_t> labels{1, -7};
  std::vector<float> gradient{9, 9, 9, 9};
  const StepResult result = evaluate_loss<float>(Loss::softmax_cross_entropy, logits,
                                                 ConstTensorView(std::span(labels), {2}), {}, 1, 2,
                                                 std::span<float>(gradient));
  CHECK(result.samples == 1);
  CHECK(std::isfinite(result.loss_sum));
  CHECK(gradient[2] == 0);
  CHECK(gradient[3] == 0);
}

TEST_CASE("Labels that do not fit the outputs are errors that say what was expected") {
  const std::vector<float> logits(6, 0.0F);
  const auto run = [&](Loss loss, ConstTensorView labels, std::int64_t k) {
    return evaluate_loss<float>(loss, logits, labels, {}, 2, k, {});
  };
  const std::vector<std::int32_t> classes{0, 3};
  const ConstTensorView indices(std::span<const std::int32_t>(classes), {2});
  CHECK_THROWS_WITH(run(Loss::softmax_cross_entropy, indices, 3),
                    "labels: sample 1 of the batch has label 3; expected 0 to 2");
  CHECK_THROWS_WITH(run(Loss::sigmoid_cross_entropy, indices, 3), Contains("expected f32 [N][3]"));
  const std::vector<float> soft(4);
  CHECK_THROWS_WITH(run(Loss::softmax_cross_entropy, ConstTensorView(std::span(soft), {2, 2}), 3),
                    Contains("f32 2x2 for 3 outputs"));
}

TEST_CASE("An output of weight 0 asks nothing, and a sample's weight is the mean of its outputs'") {
  const float junk = std::nanf("");
  const std::vector<double> logits{3, -1, 2, -2, 1, 1};
  const std::vector<float> labels{1, junk, 0, 1, junk, junk};  // right, wrong, not asked at all
  const std::vector<float> weights{0.5F, 0, 2, 0.5F, 0, 0};
  std::vector<double> gradient(6, 9);
  const StepResult result = evaluate_loss<double>(
      Loss::sigmoid_cross_entropy, logits, ConstTensorView(std::span(labels), {3, 2}), weights, 3,
      2, std::span<double>(gradient), 0, true);
  CHECK(std::isfinite(result.loss_sum));
  CHECK(result.weight_sum == Approx(0.25 + 1.25));
  CHECK(result.correct == 1);
  CHECK(gradient[1] == 0);
  CHECK(gradient[4] == 0);
  CHECK(gradient[5] == 0);
}

TEST_CASE("Weights of outputs are refused where the loss is no mean over outputs") {
  const std::vector<float> logits(6), labels(6), weights(6, 1.0F);
  const auto run = [&](Loss loss) {
    return evaluate_loss<float>(loss, logits, ConstTensorView(std::span(labels), {2, 3}), weights,
                                2, 3, {}, 0, true);
  };
  for (const Loss loss : {Loss::softmax_cross_entropy, Loss::softmax_focal}) {
    CHECK_THROWS_WITH(run(loss), Contains("weights: outputs cannot have weights in softmax"));
  }
  for (const Loss loss : {Loss::huber, Loss::mean_squared_error, Loss::sigmoid_focal}) {
    CHECK_NOTHROW(run(loss));
  }
}

TEST_CASE("Losses have Keras's names, which read back") {
  std::string all;
  for (std::size_t i = 0; i < Losses::size; ++i) {
    const LossInfo& info = loss_info(static_cast<Loss>(i));
    CHECK(loss_named(info.option) == static_cast<Loss>(i));
    all += (all.empty() ? "" : ", ") + std::string(info.option);
  }
  CHECK_THROWS_WITH(loss_named("mse"), "unknown loss 'mse'; known: " + all);
}

TEST_CASE("The losses that fit a model are those of its last layer, and of numbers") {
  const auto fitting = [](ModelBuilder builder) { return fitting_losses(builder.build()); };
  CHECK(fitting(ModelBuilder("m", {4}).dense(3).softmax()) ==
        "categorical_crossentropy, categorical_focal_crossentropy");
  CHECK(fitting(ModelBuilder("m", {4}).dense(3).sigmoid()) ==
        "binary_crossentropy, huber, mean_squared_error, mean_absolute_error, "
        "binary_focal_crossentropy");
  CHECK(fitting(ModelBuilder("m", {4}).dense(3))
            .starts_with("categorical_crossentropy, binary_crossentropy, huber"));
}

TEST_CASE("The loss follows from the model's last layer") {
  const auto loss_of = [](ModelBuilder builder) { return default_loss(builder.build()); };
  CHECK(loss_of(ModelBuilder("m", {4}).dense(3).softmax()) == Loss::softmax_cross_entropy);
  CHECK(loss_of(ModelBuilder("m", {4}).dense(3).sigmoid()) == Loss::sigmoid_cross_entropy);
  CHECK(loss_of(ModelBuilder("m", {4}).dense(3)) == Loss::softmax_cross_entropy);
  CHECK(loss_of(ModelBuilder("m", {4}).dense(1)) == Loss::sigmoid_cross_entropy);
}

}  // namespace

#include <millrace/nn/loss.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/model.h>
#include <millrace/nn/probabilities.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn {
namespace {

/// Labels of either form, row by row. The type and shape are checked once, values as they are read.
class Labels {
 public:
  Labels(ConstTensorView view, Loss loss, std::int64_t samples, std::int64_t k, double smoothing)
      : classes_(loss == Loss::sigmoid_cross_entropy ? 2 : k),
        k_(k),
        keep_(1 - smoothing),
        lift_(smoothing / static_cast<double>(classes_)) {
    const bool is_row = view.shape.rank() == 1 || (view.shape.rank() == 2 && view.shape[1] == 1);
    if (view.dtype == DType::i32 && is_row && (k == 1 || loss == Loss::softmax_cross_entropy)) {
      indices_ = view.as<std::int32_t>();
    } else if (view.dtype == DType::f32 && view.shape.elements() == view.shape[0] * k) {
      rows_ = view.as<float>();
    } else {
      throw Error(concat("labels: ", to_string(view.dtype), " ", view.shape, " for ", k,
                         " outputs; expected f32 [N][", k, "]",
                         k == 1 || loss == Loss::softmax_cross_entropy ? " or i32 [N]" : ""));
    }
    if (view.shape[0] < samples) {
      throw Error(concat("labels: ", view.shape[0], " for ", samples, " samples"));
    }
  }

  /// True if each sample has one class by number; `index` then gives it, checked.
  [[nodiscard]] bool is_index() const { return !indices_.empty(); }
  [[nodiscard]] std::int64_t index(std::int64_t n) const {
    const std::int64_t label = indices_[static_cast<std::size_t>(n)];
    if (label < 0 || label >= classes_) {
      throw Error(concat("labels: sample ", n, " of the batch has label ", label,
                         "; expected 0 to ", classes_ - 1));
    }
    return label;
  }
  [[nodiscard]] std::span<const float> row(std::int64_t n) const {
    return rows_.subspan(static_cast<std::size_t>(n * k_), static_cast<std::size_t>(k_));
  }
  /// What the loss is to make of a label that says `y`.
  [[nodiscard]] double smoothed(double y) const { return y * keep_ + lift_; }

 private:
  std::int64_t classes_, k_;
  double keep_, lift_;
  std::span<const std::int32_t> indices_;
  std::span<const float> rows_;
};

struct Sample {
  double loss = 0;
  bool is_correct = false;
};

template <class T>
std::int64_t argmax(std::span<const T> values) {  // the first of equal ones
  return std::max_element(values.begin(), values.end()) - values.begin();
}

/// -sum_j y_j log softmax(x)_j, with the maximum taken out so that no exponential overflows. Its
/// derivative by x_j is (sum y) softmax(x)_j - y_j.
template <class Float>
Sample softmax_sample(std::span<const Float> x, const Labels& labels, std::int64_t n, double scale,
                      std::span<Float> gradient) {
  const bool is_index = labels.is_index();
  const std::int64_t label = is_index ? labels.index(n) : argmax(labels.row(n));
  const auto y = [&](std::size_t j) {
    if (is_index) return labels.smoothed(static_cast<std::int64_t>(j) == label ? 1.0 : 0.0);
    return labels.smoothed(static_cast<double>(labels.row(n)[j]));
  };
  const double highest = static_cast<double>(*std::max_element(x.begin(), x.end()));
  double exponentials = 0;
  for (const Float logit : x) exponentials += std::exp(static_cast<double>(logit) - highest);
  const double log_sum = std::log(exponentials);

  Sample result{.is_correct = argmax(x) == label};
  double mass = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    mass += y(j);
    if (y(j) != 0) result.loss += y(j) * (log_sum - (static_cast<double>(x[j]) - highest));
  }
  for (std::size_t j = 0; j < gradient.size(); ++j) {
    const double p = std::exp(static_cast<double>(x[j]) - highest) / exponentials;
    gradient[j] = static_cast<Float>(scale * (mass * p - y(j)));
  }
  return result;
}

/// The mean over outputs of max(x, 0) - x y + log(1 + exp(-|x|)), whose derivative is sigmoid(x) -
/// y.
template <class Float>
Sample sigmoid_sample(std::span<const Float> x, const Labels& labels, std::int64_t n, double scale,
                      std::span<Float> gradient) {
  const auto k = static_cast<double>(x.size());
  Sample result{.is_correct = true};
  for (std::size_t j = 0; j < x.size(); ++j) {
    const auto logit = static_cast<double>(x[j]);
    const double label = labels.is_index() ? static_cast<double>(labels.index(n))
                                           : static_cast<double>(labels.row(n)[j]);
    const double y = labels.smoothed(label);
    result.loss += (std::max(logit, 0.0) - logit * y + std::log1p(std::exp(-std::abs(logit)))) / k;
    result.is_correct = result.is_correct && (logit > 0) == (label > 0.5);
    if (!gradient.empty()) {
      gradient[j] = static_cast<Float>(scale * (sigmoid(logit) - y) / k);
    }
  }
  return result;
}

}  // namespace

Loss default_loss(const Model& model) {
  MILLRACE_CHECK(!model.layers.empty(), "a model without layers has no loss");
  const LayerKind& last = model.layers.back().kind;
  if (last.is<Softmax>()) return Loss::softmax_cross_entropy;
  if (last.is<Sigmoid>()) return Loss::sigmoid_cross_entropy;
  const bool is_one = summarize(model).back().output.elements() == 1;
  return is_one ? Loss::sigmoid_cross_entropy : Loss::softmax_cross_entropy;
}

StepResult& StepResult::operator+=(const StepResult& other) noexcept {
  loss_sum += other.loss_sum;
  weight_sum += other.weight_sum;
  correct += other.correct;
  samples += other.samples;
  device_s += other.device_s;
  return *this;
}

double StepResult::mean_loss() const noexcept {
  return samples == 0 ? 0 : loss_sum / static_cast<double>(samples);
}

double StepResult::accuracy() const noexcept {
  return samples == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(samples);
}

template <class Float>
StepResult evaluate_loss(Loss loss, std::span<const Float> logits, ConstTensorView labels,
                         std::span<const float> weights, std::int64_t samples, std::int64_t k,
                         std::span<Float> gradient, double label_smoothing) {
  const auto width = static_cast<std::size_t>(k);
  const auto rows = static_cast<std::size_t>(samples);
  MILLRACE_CHECK(samples >= 0 && k > 0 && logits.size() >= rows * width, "logits hold fewer than ",
                 samples, " x ", k, " values: ", logits.size());
  MILLRACE_CHECK(gradient.empty() || gradient.size() >= rows * width,
                 "the gradient must be as large as the logits, or empty");
  MILLRACE_CHECK(weights.empty() || weights.size() >= rows, "a weight for each sample, or none");
  MILLRACE_CHECK(label_smoothing >= 0 && label_smoothing < 1, "label smoothing in [0, 1), not ",
                 label_smoothing);
  const Labels targets(labels, loss, samples, k, label_smoothing);
  const auto sample =
      loss == Loss::softmax_cross_entropy ? softmax_sample<Float> : sigmoid_sample<Float>;
  StepResult result{.samples = samples};
  for (std::size_t n = 0; n < rows; ++n) {
    const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[n]);
    const std::span<Float> row = gradient.empty() ? gradient : gradient.subspan(n * width, width);
    const Sample one =
        sample(logits.subspan(n * width, width), targets, static_cast<std::int64_t>(n),
               weight / static_cast<double>(samples), row);
    result.loss_sum += weight * one.loss;
    result.weight_sum += weight;
    result.correct += one.is_correct ? 1 : 0;
  }
  if (!gradient.empty()) {
    const auto unused = gradient.subspan(rows * width);
    std::fill(unused.begin(), unused.end(), Float{0});
  }
  return result;
}

template StepResult evaluate_loss<float>(Loss, std::span<const float>, ConstTensorView,
                                         std::span<const float>, std::int64_t, std::int64_t,
                                         std::span<float>, double);
template StepResult evaluate_loss<double>(Loss, std::span<const double>, ConstTensorView,
                                          std::span<const float>, std::int64_t, std::int64_t,
                                          std::span<double>, double);

}  // namespace millrace::nn

#include <millrace/nn/loss.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/losses/registry.h>
#include <millrace/nn/model.h>
#include <millrace/nn/registry.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <string_view>

namespace millrace::nn {
namespace {

template <class... All>
std::deque<LossEntry> entries_of(TypeList<All...> /*list*/) {
  return {LossEntry::of<All>()...};
}

Registry<LossEntry>& registry() {
  static Registry<LossEntry> all("loss", entries_of(Losses{}));
  return all;
}

const LossEntry& entry_of(Loss loss) {
  return registry().at(static_cast<std::size_t>(loss));
}

/// Labels of either form, row by row. The type and shape are checked once, values as they are read.
class Labels {
 public:
  Labels(ConstTensorView view, Loss loss, std::int64_t samples, std::int64_t k, double smoothing)
      : classes_(loss_info(loss).classes(k)), k_(k), smoothing_(smoothing_of(loss, k, smoothing)) {
    const bool takes_numbers = loss_info(loss).takes_class_numbers(k);
    const bool is_row = view.shape.rank() == 1 || (view.shape.rank() == 2 && view.shape[1] == 1);
    if (view.dtype == DType::i32 && is_row && takes_numbers) {
      numbers_ = view.as<std::int32_t>();
    } else if (view.dtype == DType::f32 && view.shape.elements() == view.shape[0] * k) {
      rows_ = view.as<float>();
    } else {
      throw Error(concat("labels: ", to_string(view.dtype), " ", view.shape, " for ", k,
                         " outputs; expected f32 [N][", k, "]",
                         takes_numbers ? " or i32 [N]" : ""));
    }
    if (view.shape[0] < samples) {
      throw Error(concat("labels: ", view.shape[0], " for ", samples, " samples"));
    }
  }

  [[nodiscard]] Target operator()(std::size_t n) const {
    if (numbers_.empty()) {
      return {.values = rows_.data() + n * static_cast<std::size_t>(k_), .smoothing = smoothing_};
    }
    const std::int64_t label = numbers_[n];
    if (label < 0 || label >= classes_) {
      throw Error(concat("labels: sample ", n, " of the batch has label ", label,
                         "; expected 0 to ", classes_ - 1));
    }
    return {.number = label, .smoothing = smoothing_};
  }

 private:
  std::int64_t classes_, k_;
  Smoothing smoothing_;
  std::span<const std::int32_t> numbers_;
  std::span<const float> rows_;
};

/// Weights of samples, or of their outputs.
class Weights {
 public:
  Weights(std::span<const float> all, std::int64_t samples, std::int64_t k, bool of_outputs)
      : all_(all), width_(of_outputs ? static_cast<std::size_t>(k) : 1), of_outputs_(of_outputs) {
    MILLRACE_CHECK(all.empty() || all.size() >= static_cast<std::size_t>(samples) * width_,
                   "a weight for each ", of_outputs ? "output" : "sample", ", or none");
  }

  /// What all outputs of a sample are multiplied by.
  [[nodiscard]] double of_sample(std::size_t n) const {
    return all_.empty() || of_outputs_ ? 1.0 : static_cast<double>(all_[n]);
  }
  /// Null where outputs have none of their own.
  [[nodiscard]] const float* of_outputs(std::size_t n) const {
    return all_.empty() || !of_outputs_ ? nullptr : all_.data() + n * width_;
  }
  [[nodiscard]] double mean(std::size_t n) const {
    const float* const outputs = of_outputs(n);
    if (outputs == nullptr) return of_sample(n);
    return std::accumulate(outputs, outputs + width_, 0.0) / static_cast<double>(width_);
  }

 private:
  std::span<const float> all_;
  std::size_t width_;
  bool of_outputs_;
};

}  // namespace

Loss register_loss(const LossEntry& entry) {
  const LossInfo& info = entry.info;
  MILLRACE_CHECK(info.name != nullptr && info.option != nullptr && info.classes != nullptr &&
                     info.takes_class_numbers != nullptr,
                 "a loss's kInfo has its names, classes and takes_class_numbers");
  return static_cast<Loss>(registry().add(entry));
}

const LossInfo& loss_info(Loss loss) {
  return entry_of(loss).info;
}

Loss loss_named(std::string_view option) {
  return static_cast<Loss>(registry().find(option));
}

bool folds_end(Loss loss, const Model& model) {
  const char* const activation = loss_info(loss).activation;
  return activation != nullptr &&
         std::string_view(kind_name(model.layers.back().kind)) == activation;
}

bool fits_end(Loss loss, const Model& model) {
  const LayerKind& last = model.layers.back().kind;
  if (last.is<Softmax>()) return folds_end(loss, model);
  return !last.is<Sigmoid>() || folds_end(loss, model) || loss_info(loss).activation == nullptr;
}

std::string fitting_losses(const Model& model) {
  std::string names;
  for (std::size_t i = 0; i < registry().size(); ++i) {
    const auto loss = static_cast<Loss>(i);
    if (!fits_end(loss, model)) continue;
    names += concat(names.empty() ? "" : ", ", loss_info(loss).option);
  }
  return names;
}

Smoothing smoothing_of(Loss loss, std::int64_t outputs, double label_smoothing) {
  const std::int64_t classes = loss_info(loss).classes(outputs);
  if (classes == 0 && label_smoothing != 0) {
    throw UsageError(concat("label_smoothing: expected 0, not ", label_smoothing,
                            ", since the labels of ", loss_info(loss).name, " are not classes"));
  }
  if (classes == 0) return {};
  return {.keep = 1 - label_smoothing, .lift = label_smoothing / static_cast<double>(classes)};
}

Loss default_loss(const Model& model) {
  MILLRACE_CHECK(!model.layers.empty(), "a model without layers has no loss");
  const std::string_view last = kind_name(model.layers.back().kind);
  // Of the library's: what a program registers changes no other model.
  for (std::size_t i = 0; i < Losses::size; ++i) {
    const auto loss = static_cast<Loss>(i);
    const char* const activation = loss_info(loss).activation;
    if (activation != nullptr && last == activation) return loss;
  }
  if (!model.targets.empty()) return Loss::mean_squared_error;
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

void check_weighs_outputs(Loss loss) {
  if (loss_info(loss).weighs_outputs) return;
  throw Error(concat("weights: outputs cannot have weights in ", loss_info(loss).name,
                     ", which is not a mean over them; give one weight a sample, [N]"));
}

template <class Float>
StepResult evaluate_loss(Loss loss, std::span<const Float> logits, ConstTensorView labels,
                         std::span<const float> weights, std::int64_t samples, std::int64_t k,
                         std::span<Float> gradient, double label_smoothing, bool weighs_outputs) {
  if (weighs_outputs) check_weighs_outputs(loss);
  const auto width = static_cast<std::size_t>(k);
  const auto rows = static_cast<std::size_t>(samples);
  MILLRACE_CHECK(samples >= 0 && k > 0 && logits.size() >= rows * width, "logits hold fewer than ",
                 samples, " x ", k, " values: ", logits.size());
  MILLRACE_CHECK(gradient.empty() || gradient.size() >= rows * width,
                 "the gradient must be as large as the logits, or empty");
  MILLRACE_CHECK(label_smoothing >= 0 && label_smoothing < 1, "label smoothing in [0, 1), not ",
                 label_smoothing);
  const Labels targets(labels, loss, samples, k, label_smoothing);
  const Weights of(weights, samples, k, weighs_outputs);
  StepResult result{.samples = samples};
  const LossEntry::Evaluate<Float> evaluate = entry_of(loss).evaluate_of<Float>();
  for (std::size_t n = 0; n < rows; ++n) {
    const double weight = of.of_sample(n);
    Target target = targets(n);
    target.weights = of.of_outputs(n);
    const GradientRow<Float> row{gradient.empty() ? nullptr : gradient.data() + n * width};
    const LossRow one =
        evaluate(logits.data() + n * width, k, target, weight / static_cast<double>(samples), row);
    result.loss_sum += weight * one.loss;
    result.weight_sum += of.mean(n);
    result.correct += one.is_right ? 1 : 0;
  }
  if (!gradient.empty()) {
    const auto unused = gradient.subspan(rows * width);
    std::fill(unused.begin(), unused.end(), Float{0});
  }
  return result;
}

template StepResult evaluate_loss<float>(Loss, std::span<const float>, ConstTensorView,
                                         std::span<const float>, std::int64_t, std::int64_t,
                                         std::span<float>, double, bool);
template StepResult evaluate_loss<double>(Loss, std::span<const double>, ConstTensorView,
                                          std::span<const float>, std::int64_t, std::int64_t,
                                          std::span<double>, double, bool);

}  // namespace millrace::nn

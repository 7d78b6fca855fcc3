#include <millrace/nn/metrics.h>

#include <millrace/core/error.h>
#include <millrace/nn/roc_auc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace millrace::nn {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// 5 for "top5".
std::optional<std::int64_t> top_of(std::string_view name) {
  if (!name.starts_with("top")) return std::nullopt;
  std::int64_t k = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + 3, end, k);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return k;
}

std::int64_t argmax(std::span<const float> values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

/// The class of a sample, in any form of labels.
std::int64_t label_of(const ConstTensorView& labels, std::int64_t sample, std::int64_t classes) {
  const auto n = static_cast<std::size_t>(sample);
  std::int64_t label = -1;
  if (labels.dtype == DType::i32) {
    label = labels.as<std::int32_t>()[n];
  } else {
    const std::int64_t k = labels.shape.elements() / labels.shape[0];
    const auto row =
        labels.as<float>().subspan(n * static_cast<std::size_t>(k), static_cast<std::size_t>(k));
    label = k == 1 ? (row[0] > 0.5F ? 1 : 0) : argmax(row);
  }
  if (label < 0 || label >= classes) {
    throw Error(concat("metrics: sample ", sample, " of the batch has label ", label,
                       "; expected 0 to ", classes - 1));
  }
  return label;
}

void check_labels(const ConstTensorView& labels, std::int64_t samples, std::int64_t classes) {
  const bool has_rows = labels.shape.rank() > 0 && labels.shape[0] >= samples;
  const std::int64_t k =
      has_rows && labels.shape[0] > 0 ? labels.shape.elements() / labels.shape[0] : 1;
  const bool fits = (labels.dtype == DType::i32 && k == 1) ||
                    (labels.dtype == DType::f32 && (k == 1 ? classes == 2 : k == classes));
  if (has_rows && fits) return;
  throw Error(concat("metrics: labels ", to_string(labels.dtype), " ", labels.shape, " for ",
                     samples, " samples of ", classes, " classes"));
}

/// Over the classes that samples have.
template <class Weight>
ClassMetrics mean(std::span<const ClassMetrics> classes, Weight&& weight) {
  ClassMetrics sum{.auc = 0};
  double all = 0, with_area = 0;
  for (const ClassMetrics& c : classes) {
    if (c.support == 0) continue;
    const double w = weight(c);
    all += w;
    sum.precision += w * c.precision;
    sum.recall += w * c.recall;
    sum.f1 += w * c.f1;
    sum.support += c.support;
    if (std::isnan(c.auc)) continue;
    with_area += w;
    sum.auc += w * c.auc;
  }
  const double scale = all == 0 ? kNaN : 1 / all;
  sum.precision *= scale;
  sum.recall *= scale;
  sum.f1 *= scale;
  sum.auc = classes.size() == 2 ? classes[1].auc : with_area == 0 ? kNaN : sum.auc / with_area;
  return sum;
}

}  // namespace

MetricsOptions metrics_options(std::span<const std::string> names, std::int64_t classes) {
  constexpr std::array<std::string_view, 4> kCounted{"accuracy", "precision", "recall", "f1"};
  MetricsOptions options;
  for (const std::string& name : names) {
    if (std::find(kCounted.begin(), kCounted.end(), name) != kCounted.end()) continue;
    const std::optional<std::int64_t> k = top_of(name);
    if (name == "auc") {
      options.auc = true;
    } else if (k && *k >= 1 && *k <= classes) {
      options.top_k.push_back(*k);
    } else if (k) {
      throw UsageError(concat("metric '", name, "': there are ", classes, " classes"));
    } else {
      throw UsageError(
          concat("unknown metric '", name, "'; known: accuracy, precision, recall, f1, auc, top5"));
    }
  }
  return options;
}

ClassificationMetrics::ClassificationMetrics(std::int64_t classes, MetricsOptions options)
    : classes_(classes), options_(std::move(options)) {
  if (classes < 2) throw UsageError(concat("metrics: ", classes, " classes; expected 2 or more"));
  for (const std::int64_t k : options_.top_k) {
    if (k < 1 || k > classes) {
      throw UsageError(concat("metrics: top ", k, " of ", classes, " classes"));
    }
  }
  confusion_.resize(static_cast<std::size_t>(classes * classes));
  within_top_.resize(options_.top_k.size());
}

void ClassificationMetrics::add(std::span<const float> outputs, ConstTensorView labels,
                                std::int64_t samples) {
  check_labels(labels, samples, classes_);
  if (samples == 0) return;
  const auto rows = static_cast<std::size_t>(samples);
  const bool is_single = classes_ == 2 && outputs.size() == rows;
  const std::int64_t width = is_single ? 1 : classes_;
  const auto row_size = static_cast<std::size_t>(width);
  MILLRACE_CHECK(outputs.size() == rows * row_size && (width_ == 0 || width_ == width),
                 "metrics: ", outputs.size(), " outputs for ", samples, " samples of ", classes_,
                 " classes");
  width_ = width;
  for (std::size_t n = 0; n < rows; ++n) {
    const std::int64_t label = label_of(labels, static_cast<std::int64_t>(n), classes_);
    count(outputs.subspan(n * row_size, row_size), label);
    if (!options_.auc) continue;
    labels_.push_back(static_cast<std::int32_t>(label));
    if (keeps_softmax()) softmax_.emplace_back(outputs.subspan(n * row_size, row_size));
  }
  if (options_.auc) outputs_.insert(outputs_.end(), outputs.begin(), outputs.end());
}

void ClassificationMetrics::count(std::span<const float> row, std::int64_t label) {
  const float even = options_.outputs == OutputKind::sigmoid_logit ? 0.0F : 0.5F;
  const std::int64_t predicted = row.size() == 1 ? (row[0] > even ? 1 : 0) : argmax(row);
  ++confusion_[static_cast<std::size_t>(label * classes_ + predicted)];
  ++samples_;
  if (within_top_.empty()) return;
  std::int64_t rank = predicted == label ? 0 : 1;  // of two classes
  if (row.size() > 1) {
    const auto own = static_cast<std::size_t>(label);
    rank = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      // NaN is not among the highest, nor is what stands beside it.
      if (!(row[own] >= row[j]) || (row[j] == row[own] && j < own)) ++rank;
    }
  }
  for (std::size_t i = 0; i < within_top_.size(); ++i) {
    if (rank < options_.top_k[i]) ++within_top_[i];
  }
}

void ClassificationMetrics::merge(const ClassificationMetrics& other) {
  MILLRACE_CHECK(other.classes_ == classes_ && other.options_.top_k == options_.top_k &&
                     other.options_.auc == options_.auc &&
                     other.options_.outputs == options_.outputs &&
                     (width_ == 0 || other.width_ == 0 || width_ == other.width_),
                 "metrics of other classes or options cannot be merged");
  const auto sum = [](std::vector<std::int64_t>& to, const std::vector<std::int64_t>& from) {
    std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>());
  };
  sum(confusion_, other.confusion_);
  sum(within_top_, other.within_top_);
  samples_ += other.samples_;
  width_ = std::max(width_, other.width_);
  outputs_.insert(outputs_.end(), other.outputs_.begin(), other.outputs_.end());
  softmax_.insert(softmax_.end(), other.softmax_.begin(), other.softmax_.end());
  labels_.insert(labels_.end(), other.labels_.begin(), other.labels_.end());
}

void ClassificationMetrics::reset() {
  std::fill(confusion_.begin(), confusion_.end(), 0);
  std::fill(within_top_.begin(), within_top_.end(), 0);
  samples_ = 0;
  outputs_.clear();
  softmax_.clear();
  labels_.clear();
}

void ClassificationMetrics::reserve(std::int64_t samples) {
  if (!options_.auc) return;
  outputs_.reserve(static_cast<std::size_t>(samples * classes_));
  softmax_.reserve(static_cast<std::size_t>(keeps_softmax() ? samples : 0));
  labels_.reserve(static_cast<std::size_t>(samples));
}

Bytes ClassificationMetrics::bytes(std::int64_t samples) const {
  const std::int64_t matrix = classes_ * classes_ * static_cast<std::int64_t>(sizeof(std::int64_t));
  if (!options_.auc) return Bytes{static_cast<std::uint64_t>(matrix)};
  const std::int64_t kept = (classes_ + 1) * static_cast<std::int64_t>(sizeof(float)) +
                            (keeps_softmax() ? std::int64_t{sizeof(SoftmaxRow)} : 0);
  constexpr auto kSorting = static_cast<std::int64_t>(sizeof(double) + sizeof(std::size_t));
  return Bytes{static_cast<std::uint64_t>(matrix + samples * (kept + kSorting) + samples / 8)};
}

double ClassificationMetrics::accuracy() const {
  std::int64_t right = 0;
  for (std::int64_t c = 0; c < classes_; ++c) {
    right += confusion_[static_cast<std::size_t>(c * classes_ + c)];
  }
  return ratio(right, samples_);
}

double ClassificationMetrics::top_k(std::int64_t k) const {
  if (k == 1) return accuracy();
  const auto found = std::find(options_.top_k.begin(), options_.top_k.end(), k);
  MILLRACE_CHECK(found != options_.top_k.end(), "top ", k, " was not counted");
  return ratio(within_top_[static_cast<std::size_t>(found - options_.top_k.begin())], samples_);
}

std::vector<ClassMetrics> ClassificationMetrics::per_class(bool with_areas) const {
  std::vector<ClassMetrics> result;
  for (std::int64_t c = 0; c < classes_; ++c) {
    const auto cell = [&](std::int64_t label, std::int64_t predicted) {
      return confusion_[static_cast<std::size_t>(label * classes_ + predicted)];
    };
    const std::int64_t labelled = support(c);
    std::int64_t predicted = 0;
    for (std::int64_t other = 0; other < classes_; ++other) predicted += cell(other, c);
    result.push_back({.precision = ratio(cell(c, c), predicted),
                      .recall = ratio(cell(c, c), labelled),
                      .f1 = ratio(2 * cell(c, c), labelled + predicted),
                      .auc = with_areas ? area(c) : kNaN,
                      .support = labelled});
  }
  return result;
}

std::int64_t ClassificationMetrics::support(std::int64_t label) const {
  const auto begin = confusion_.begin() + label * classes_;
  return std::accumulate(begin, begin + classes_, std::int64_t{0});
}

std::vector<std::int64_t> ClassificationMetrics::missing_classes() const {
  std::vector<std::int64_t> missing;
  for (std::int64_t c = 0; c < classes_; ++c) {
    if (support(c) == 0) missing.push_back(c);
  }
  return missing;
}

/// What the output says for the class. A single one is of class 1, and the less it is, the more it
/// speaks for class 0.
double ClassificationMetrics::score(std::size_t sample, std::int64_t label) const {
  const std::size_t column = width_ > 1 ? static_cast<std::size_t>(label) : 0;
  const float output = outputs_[sample * static_cast<std::size_t>(width_) + column];
  if (keeps_softmax()) return softmax_[sample](output);
  const double p = options_.outputs == OutputKind::sigmoid_logit ? sigmoid(output) : output;
  return width_ == 1 && label == 0 ? -p : p;
}

double ClassificationMetrics::area(std::int64_t label) const {
  if (!options_.auc || samples_ == 0) return kNaN;
  std::vector<double> scores(labels_.size());
  std::vector<bool> is_positive(labels_.size());
  for (std::size_t n = 0; n < labels_.size(); ++n) {
    scores[n] = score(n, label);
    is_positive[n] = labels_[n] == label;
  }
  return roc_auc(scores, is_positive);
}

ClassMetrics ClassificationMetrics::macro(std::span<const ClassMetrics> classes) {
  return mean(classes, [](const ClassMetrics&) { return 1.0; });
}

ClassMetrics ClassificationMetrics::weighted(std::span<const ClassMetrics> classes) {
  return mean(classes, [](const ClassMetrics& c) { return static_cast<double>(c.support); });
}

double ClassificationMetrics::value(std::string_view name) const {
  if (name == "accuracy") return accuracy();
  if (const auto k = top_of(name)) return top_k(*k);
  const std::vector<ClassMetrics> classes = per_class(name == "auc");
  const ClassMetrics means = macro(classes);
  if (name == "precision") return means.precision;
  if (name == "recall") return means.recall;
  if (name == "f1") return means.f1;
  MILLRACE_CHECK(name == "auc", "there is no metric '", name, "'");
  return means.auc;
}

}  // namespace millrace::nn

#pragma once
// The quality of a classifier, class by class, from its outputs and the labels: confusion matrix,
// accuracy, top-k, precision, recall, F1 and the area under the ROC curve. Definitions are those of
// scikit-learn; counts are exact, and so is the area (no thresholds on a grid). Training,
// `evaluate` and event files take their numbers from here. Weights of samples are ignored, as
// in Keras's metrics.

#include <millrace/core/bytes.h>
#include <millrace/core/shape.h>
#include <millrace/nn/probabilities.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

struct MetricsOptions {
  std::vector<std::int64_t> top_k{};  ///< 5: is the class among the five highest outputs?
  bool auc = false;                   ///< keeps all outputs: see ClassificationMetrics::bytes
  OutputKind outputs = OutputKind::probabilities;  ///< areas are of probabilities, whatever comes
};

/// Options for metrics by name: "accuracy", "precision", "recall", "f1", "auc", "top5" (any number
/// from 1 to `classes`). Throws UsageError for another.
[[nodiscard]] MetricsOptions metrics_options(std::span<const std::string> names,
                                             std::int64_t classes);

/// Figures of one class against the rest, or their means. Of a class a share of nothing is 0
/// (scikit-learn's zero_division); the area is NaN where there are no samples of the class, or no
/// others, and all means are NaN where there is nothing to take them over.
struct ClassMetrics {
  double precision = 0, recall = 0, f1 = 0;
  double auc = 0;            ///< NaN unless MetricsOptions::auc
  std::int64_t support = 0;  ///< samples whose label is the class
};

/// Adds up samples; figures can be read at any time. Thread safety: none.
class ClassificationMetrics {
 public:
  /// Throws UsageError unless classes >= 2 and every top k is in 1 to `classes`.
  explicit ClassificationMetrics(std::int64_t classes, MetricsOptions options = {});

  /// `outputs` as predict() gives them: [samples][classes], where the first of equal maxima is the
  /// prediction, or [samples] for class 1 of two, which a probability above 0.5 (a logit above 0)
  /// predicts. Labels as a
  /// Batch has them: i32 [N] classes or f32 [N][K] (argmax; above 0.5 for K = 1). Throws Error
  /// where labels have another form or a class that does not exist.
  void add(std::span<const float> outputs, ConstTensorView labels, std::int64_t samples);
  /// Adds the samples of another of the same classes and options.
  void merge(const ClassificationMetrics& other);
  void reset();

  /// Takes the memory of `samples` samples, so that add() need not. bytes() is how much that is,
  /// with what sorting for an area takes on top.
  void reserve(std::int64_t samples);
  [[nodiscard]] Bytes bytes(std::int64_t samples) const;

  [[nodiscard]] std::int64_t classes() const noexcept { return classes_; }
  [[nodiscard]] std::int64_t samples() const noexcept { return samples_; }
  /// [label][prediction], row-major.
  [[nodiscard]] std::span<const std::int64_t> confusion() const noexcept { return confusion_; }
  [[nodiscard]] double accuracy() const;
  /// The share of samples whose class is among the k highest outputs (of equal ones the first).
  /// `k` is 1 or one of the options'.
  [[nodiscard]] double top_k(std::int64_t k) const;

  /// Of each class, against the rest. Sorts the outputs once a class if there are areas.
  [[nodiscard]] std::vector<ClassMetrics> per_class() const { return per_class(true); }
  /// Classes that no sample has; means leave them out.
  [[nodiscard]] std::vector<std::int64_t> missing_classes() const;
  /// The plain mean over the classes that samples have, and the mean weighted by support. The mean
  /// area is of the classes that have one; for two classes it is that of class 1, the usual one.
  [[nodiscard]] static ClassMetrics macro(std::span<const ClassMetrics> classes);
  [[nodiscard]] static ClassMetrics weighted(std::span<const ClassMetrics> classes);

  /// A figure by the name that metrics_options() knows; precision, recall and f1 are macro means.
  [[nodiscard]] double value(std::string_view name) const;

 private:
  void count(std::span<const float> row, std::int64_t label);
  [[nodiscard]] std::vector<ClassMetrics> per_class(bool with_areas) const;
  [[nodiscard]] bool keeps_softmax() const {
    return options_.auc && options_.outputs == OutputKind::softmax_logits;
  }
  [[nodiscard]] std::int64_t support(std::int64_t label) const;
  [[nodiscard]] double score(std::size_t sample, std::int64_t label) const;
  [[nodiscard]] double area(std::int64_t label) const;

  std::int64_t classes_, samples_ = 0;
  MetricsOptions options_;
  std::int64_t width_ = 0;                // outputs a sample: classes, or 1; known with the first
  std::vector<std::int64_t> confusion_;   // [label][prediction]
  std::vector<std::int64_t> within_top_;  // one a top k
  std::vector<float> outputs_;            // [samples][width], with auc
  std::vector<SoftmaxRow> softmax_;       // [samples], with auc of softmax_logits
  std::vector<std::int32_t> labels_;      // [samples], with auc
};

}  // namespace millrace::nn

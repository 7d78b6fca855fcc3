#pragma once
// How near a model comes to targets: numbers that it is to give, or several labels of 0 and 1.
// Definitions are those of scikit-learn; unknown targets (NaN) are left out of all figures.

#include <millrace/core/bytes.h>
#include <millrace/core/shape.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

struct Model;

/// Figures of one target, or their plain means over the targets that have them.
struct TargetFigures {
  double mse = 0, mae = 0;  ///< NaN where nothing is known
  /// 1 less the squared error as a share of the variance. Of a constant target 1 or 0, as it is met
  /// or not; NaN of fewer than two values.
  double r2 = 0;
  double binary_accuracy = 0;  ///< share of values on the right side of 0.5; NaN unless labels
  double auc = 0;              ///< NaN unless it was asked for, and of labels of one kind
  std::int64_t known = 0;      ///< values that were compared
};

/// Adds up samples; figures can be read at any time. Thread safety: none.
class TargetMetrics {
 public:
  /// What a model with targets gives: of one that ends in a sigmoid labels. `auc` keeps all values.
  explicit TargetMetrics(const Model& model, bool auc = false);

  /// `outputs` as predict() gives them and targets as a Batch has them, f32, both [samples][K];
  /// NaN among the targets is unknown. Throws Error where targets have another form.
  void add(std::span<const float> outputs, ConstTensorView targets, std::int64_t samples);
  void reset();

  /// Takes the memory of `samples` samples, so that add() need not; bytes() is how much that is,
  /// with what sorting for an area takes on top.
  void reserve(std::int64_t samples);
  [[nodiscard]] Bytes bytes(std::int64_t samples) const;

  [[nodiscard]] bool are_labels() const noexcept { return are_labels_; }
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] std::vector<TargetFigures> per_target() const;
  /// Of `known` the sum.
  [[nodiscard]] static TargetFigures mean(std::span<const TargetFigures> targets);
  /// A figure by the name that check_target_metric() knows: "mae", the mean, or "mae price".
  [[nodiscard]] double value(std::string_view name) const;

 private:
  /// Sums of one target.
  struct Sums {
    std::int64_t known = 0, right = 0;
    double squares = 0, errors = 0;  // of errors, and their sizes
    double mean = 0, spread = 0;     // of the targets, and their squared distances to it
    std::vector<double> outputs;     // with auc
    std::vector<bool> is_positive;
  };
  void add(Sums& sums, double output, double target) const;
  [[nodiscard]] TargetFigures figures(const Sums& sums) const;

  std::vector<std::string> names_;
  bool are_labels_, auc_;
  std::vector<Sums> sums_;
};

/// Whether the targets of a model are labels of 0 and 1: it ends in a sigmoid.
[[nodiscard]] bool gives_labels(const Model& model);

/// What is measured in validation by default.
[[nodiscard]] std::vector<std::string> usual_target_metrics(const Model& model);

/// Throws UsageError unless the model's targets have a figure of this name: "mse", "mae", "r2", of
/// labels also "binary_accuracy" and "auc"; or one of those, a space and the name of a target.
void check_target_metric(std::string_view name, const Model& model);

}  // namespace millrace::nn

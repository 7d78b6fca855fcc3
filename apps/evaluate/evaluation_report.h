#pragma once
// The report of `evaluate` about a classifier, class by class, as text and as JSON.

#include <millrace/nn/metrics.h>
#include <millrace/training/evaluation_data.h>

#include <nlohmann/json_fwd.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace millrace::apps {

/// Classes of which nothing was measured, so that they are not in averages.
[[nodiscard]] std::vector<std::string> classes_without_samples(
    const nn::ClassificationMetrics& metrics, const std::vector<std::string>& names);

/// A table of precision, recall, F1, area under the ROC curve and samples, and how labels (rows)
/// and predictions (columns) go together. Of many classes the table has the worst, and the pairs
/// that are confused most take the place of the matrix. Classes without samples are not among the
/// worst. `names` has one a class.
void print_classes(std::ostream& out, const nn::ClassificationMetrics& metrics,
                   const std::vector<std::string>& names);

/// The same, with nothing left out: {"classes": [{"name", "precision", ...}], "macro", "weighted",
/// "auc", "confusion": [[...]]}. Areas that do not exist are null.
[[nodiscard]] nlohmann::ordered_json json_of(const nn::ClassificationMetrics& metrics,
                                             const std::vector<std::string>& names);

/// {"part": "held-out", "samples": 4, "trained_on": 0, "classes_without_samples": []}; null where
/// it is not known how many were trained on.
[[nodiscard]] nlohmann::ordered_json measured(const EvaluationData& data, std::int64_t samples,
                                              const std::vector<std::string>& missing_classes);

}  // namespace millrace::apps

#pragma once
// The area under the ROC curve of scores, exactly: no thresholds on a grid.

#include <span>
#include <vector>

namespace millrace::nn {

/// The area under the ROC curve: how often a positive scores above a negative, ties counting half.
/// NaN without positives, without negatives, or where a score is NaN. `scores` and `is_positive`
/// are equally long.
[[nodiscard]] double roc_auc(std::span<const double> scores, const std::vector<bool>& is_positive);

}  // namespace millrace::nn

#include <millrace/nn/roc_auc.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace millrace::nn {

// The sum of the ranks of positives, equal scores sharing the mean of their ranks, less what it
// would be if all positives came last (Mann and Whitney's U).
double roc_auc(std::span<const double> scores, const std::vector<bool>& is_positive) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  MILLRACE_CHECK(scores.size() == is_positive.size(), "a class for each score");
  const auto is_nan = [](double score) { return std::isnan(score); };
  if (std::any_of(scores.begin(), scores.end(), is_nan)) return kNaN;
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double ranks = 0;
  double positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double here = 0;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) {
      here += is_positive[order[end]] ? 1 : 0;
      ++end;
    }
    ranks += here * (static_cast<double>(begin + end) + 1) / 2;
    positives += here;
    begin = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return kNaN;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

}  // namespace millrace::nn

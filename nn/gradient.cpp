#include <millrace/nn/gradient.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::nn {

void validate(const GradientOptions& options) {
  const auto require = [](double value, const char* option) {
    if (value >= 0 && std::isfinite(value)) return;
    throw UsageError(concat(option, ": expected 0 or more, not ", value));
  };
  require(options.l2, "l2");
  require(options.clip_value, "clip_value");
  require(options.clip_norm, "clip_norm");
  require(options.clip_global_norm, "clip_global_norm");
  const int clips = (options.clip_value > 0 ? 1 : 0) + (options.clip_norm > 0 ? 1 : 0) +
                    (options.clip_global_norm > 0 ? 1 : 0);
  if (clips > 1) {
    throw UsageError("clip_value, clip_norm, clip_global_norm: at most one of them can be used");
  }
}

double norm_factor(double limit, double norm) noexcept {
  return limit / std::max(norm, limit);  // in this order a norm of NaN stays NaN
}

double global_norm_factor(double limit, double norm) noexcept {
  if (!std::isfinite(norm)) return std::numeric_limits<double>::quiet_NaN();
  return limit * std::min(1 / norm, 1 / limit);
}

}  // namespace millrace::nn

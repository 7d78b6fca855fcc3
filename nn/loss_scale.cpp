#include <millrace/nn/loss_scale.h>

#include <millrace/core/error.h>

#include <cmath>
#include <limits>

namespace millrace::nn {

void validate(const LossScaleOptions& options) {
  const auto require = [](bool condition, const char* option, const char* range, double value) {
    if (!condition) throw UsageError(concat(option, ": expected ", range, ", not ", value));
  };
  require(options.initial > 0 && options.initial <= std::numeric_limits<float>::max(), "loss scale",
          "a positive number that float32 holds", options.initial);
  require(options.growth_steps > 0, "growth_steps", "1 or more",
          static_cast<double>(options.growth_steps));
  require(options.growth >= 1 && std::isfinite(options.growth), "growth", "1 or more",
          options.growth);
  require(options.backoff > 0 && options.backoff < 1, "backoff", "between 0 and 1",
          options.backoff);
  require(options.floor >= 0 && options.floor <= options.initial, "floor", "0 to the initial scale",
          options.floor);
}

}  // namespace millrace::nn

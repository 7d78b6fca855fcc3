#pragma once
// Dynamic loss scaling: the loss is multiplied so that small gradients survive fp16; a step whose
// gradients overflow is skipped and the scale falls. The rule is one function for host and device.

#include <millrace/core/host_device.h>

#include <cstdint>

namespace millrace::nn {

struct LossScaleOptions {
  double initial = 32768;
  std::int64_t growth_steps = 2000;  ///< good steps in a row until the scale grows
  double growth = 2, backoff = 0.5;
  double floor = 0;  ///< the scale never falls below; 0: none

  /// keras.mixed_precision.LossScaleOptimizer of Keras 3: what is above.
  [[nodiscard]] static LossScaleOptions keras() noexcept { return {}; }
  /// torch.amp.GradScaler: 65536, the rest equal.
  [[nodiscard]] static LossScaleOptions torch() noexcept {
    LossScaleOptions options;
    options.initial = 65536;
    return options;
  }
};

/// Throws UsageError that names the first option out of its range.
void validate(const LossScaleOptions& options);

/// Part of a training run's state: checkpoints hold it.
struct LossScaleState {
  double scale = 1;
  std::int64_t good_steps = 0;  ///< since the scale last changed
  std::int64_t skipped = 0;     ///< steps skipped so far; Adam's t leaves them out

  friend bool operator==(const LossScaleState&, const LossScaleState&) = default;
};

/// After a step: `finite` says whether all its gradients were. A scale that would grow beyond
/// float32 stays as it is.
MILLRACE_HOST_DEVICE inline void advance(LossScaleState& state, const LossScaleOptions& options,
                                         bool finite) {
  if (!finite) {
    state.scale *= options.backoff;
    if (state.scale < options.floor) state.scale = options.floor;
    state.good_steps = 0;
    ++state.skipped;
    return;
  }
  if (++state.good_steps < options.growth_steps) return;
  state.good_steps = 0;
  const double grown = state.scale * options.growth;
  if (grown <= 3.4028234663852886e38) state.scale = grown;
}

}  // namespace millrace::nn

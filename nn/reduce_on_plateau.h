#pragma once
// Lowers the learning rate when a figure no longer gets better: the decisions of Keras's
// ReduceLROnPlateau, epoch by epoch.

#include <millrace/nn/monitor.h>

#include <cstdint>
#include <optional>

namespace millrace::nn {

struct ReduceOnPlateauOptions {
  Direction direction = Direction::min;
  double factor = 0.1;          ///< below 1
  std::uint32_t patience = 10;  ///< epochs without an improvement
  double min_delta = 1e-4;
  std::uint32_t cooldown = 0;  ///< epochs after a reduction that do not count
  double min_rate = 0;
};

/// Throws UsageError that names the first option out of its range.
void validate(const ReduceOnPlateauOptions& options);

/// Thread safety: none. Its state is plain, for checkpoints.
class ReduceOnPlateau {
 public:
  struct State {
    std::optional<double> best{};
    std::uint32_t wait = 0;
    std::uint32_t cooldown = 0;  ///< epochs of it that are left
  };

  explicit ReduceOnPlateau(const ReduceOnPlateauOptions& options);

  /// The value at the end of an epoch and the rate that it was trained with (with a schedule: a
  /// factor of its rates); returns the rate from here on.
  double update(double value, double rate);

  [[nodiscard]] const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  ReduceOnPlateauOptions options_;
  State state_;
};

}  // namespace millrace::nn

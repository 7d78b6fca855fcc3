#pragma once
// When to stop training because a figure no longer gets better: the decisions of Keras's
// EarlyStopping, epoch by epoch, without the training around them.

#include <millrace/nn/monitor.h>

#include <cstdint>
#include <optional>

namespace millrace::nn {

struct EarlyStoppingOptions {
  Direction direction = Direction::min;
  double min_delta = 0;
  /// So many epochs in a row without an improvement end training. 0 and 1 both stop at the first
  /// one, but never after the first epoch of a run.
  std::uint32_t patience = 0;
  std::optional<double> baseline{};    ///< patience also runs out while this is not beaten
  std::uint32_t start_from_epoch = 0;  ///< epochs before it are not looked at
};

/// Throws UsageError that names the first option out of its range.
void validate(const EarlyStoppingOptions& options);

/// Thread safety: none. Its state is plain, for checkpoints.
class EarlyStopping {
 public:
  struct State {
    std::optional<double> best{};
    std::uint32_t best_epoch = 0;
    std::uint32_t wait = 0;  ///< epochs since the last improvement (that beat the baseline)
  };
  struct Decision {
    bool improved = false;  ///< these are the best weights so far: keep them
    bool stop = false;
  };

  explicit EarlyStopping(const EarlyStoppingOptions& options);

  /// The value of epoch `epoch`, counted from 0.
  Decision update(std::uint32_t epoch, double value);

  [[nodiscard]] const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  EarlyStoppingOptions options_;
  State state_;
};

}  // namespace millrace::nn

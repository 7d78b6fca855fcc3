#pragma once
// What callbacks watch: a figure of an epoch by its name, whether more of it is better, and whether
// a value is better than the best so far. And their decisions when it no longer improves: to
// stop, or to lower the learning rate, as Keras's EarlyStopping and
// ReduceLROnPlateau do, epoch by epoch, without the training around them.

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::nn {

enum class Direction { automatic, min, max };

/// "auto", "min", "max". Throws UsageError that lists them.
[[nodiscard]] Direction direction_named(std::string_view name);
[[nodiscard]] const char* to_string(Direction direction) noexcept;

/// Which way is better for "loss", "accuracy", "auc", "precision", "recall", "f1", "top5" (any
/// number), "mse", "mae", "r2" and "binary_accuracy", with or without "val_" before them, and alone
/// or with the name of a target after them: "val_r2 price". Throws UsageError for another name,
/// which may be watched with a direction that is given.
[[nodiscard]] Direction direction_of(std::string_view monitor);

/// True if `value` is better than `best` by more than `min_delta`; always if there is no best. As
/// in Keras: float32 values are compared, NaN is better than nothing at all and nothing is better
/// than NaN. `direction` is min or max.
[[nodiscard]] bool improved(double value, std::optional<double> best, Direction direction,
                            double min_delta = 0);

struct EarlyStoppingOptions {
  Direction direction = Direction::min;
  double min_delta = 0;
  /// This many epochs in a row without improvement end training. 0 and 1 both stop at the first
  /// one, but never after the first epoch of a run.
  std::uint32_t patience = 0;
  std::optional<double> baseline{};    ///< patience also runs out while this is not beaten
  std::uint32_t start_from_epoch = 0;  ///< epochs before it are not looked at
};

/// Throws UsageError that names the first option out of its range; so does the other.
void validate(const EarlyStoppingOptions& options);

/// When to stop training. Thread safety: none. Its state is plain, for checkpoints.
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

struct ReduceOnPlateauOptions {
  Direction direction = Direction::min;
  double factor = 0.1;          ///< below 1
  std::uint32_t patience = 10;  ///< epochs without an improvement
  double min_delta = 1e-4;
  std::uint32_t cooldown = 0;  ///< epochs after a reduction that do not count
  double min_rate = 0;
};

void validate(const ReduceOnPlateauOptions& options);

/// Lowers the learning rate. Thread safety: none. Its state is plain, for checkpoints.
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

#pragma once
// What callbacks watch: a figure of an epoch by its name, whether more of it is better, and whether
// a value is better than the best so far. Early stopping, plateau and "keep the best" share this.

#include <optional>
#include <string_view>

namespace millrace::nn {

enum class Direction { automatic, min, max };

/// "auto", "min", "max". Throws UsageError that lists them.
[[nodiscard]] Direction direction_named(std::string_view name);
[[nodiscard]] const char* to_string(Direction direction) noexcept;

/// Which way is better for "loss", "accuracy", "auc", "precision", "recall", "f1" and "top5" (any
/// number), with or without "val_". Throws UsageError for another name, which may be watched with a
/// direction that is given.
[[nodiscard]] Direction direction_of(std::string_view monitor);

/// True if `value` is better than `best` by more than `min_delta`; always if there is no best. As
/// in Keras: float32 values are compared, NaN is better than nothing at all and nothing is better
/// than NaN. `direction` is min or max.
[[nodiscard]] bool improved(double value, std::optional<double> best, Direction direction,
                            double min_delta = 0);

}  // namespace millrace::nn

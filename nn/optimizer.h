#pragma once
// Optimizers as one pass over flat arenas, so that an update does not depend on layers. The rules
// are in optimizers/, one file each.

#include <millrace/nn/optimizers/optimizers.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::sgd;
  std::optional<double> learning_rate{};   ///< absent: the kind's own; see TrainStep for schedules
  double momentum = 0.0;                   ///< of those that have one
  bool nesterov = false;                   ///< sgd
  std::optional<double> beta1{}, beta2{};  ///< absent: the kind's own
  double epsilon = 0.0;                    ///< 0: the kind's own
  double weight_decay = 0.0;               ///< added to the gradient; adamw: decoupled
  /// Options that the kind has of its own, by their names in OptimizerInfo::own; absent: its usual.
  std::map<std::string, double, std::less<>> own{};
};

/// All of them, in the order of OptimizerKind, and then those that were registered.
[[nodiscard]] std::vector<OptimizerInfo> optimizers();
[[nodiscard]] const OptimizerInfo& optimizer_info(OptimizerKind kind);

/// By name: "sgd", "adam", ... Throws UsageError that lists them.
[[nodiscard]] OptimizerKind optimizer_kind(std::string_view name);
[[nodiscard]] const char* to_string(OptimizerKind kind);

/// Throws UsageError that names the first option out of its range, one that the kind has not or
/// that has no effect beside the others, or a registered rule that makes something of zeros.
/// Engines call it in compile().
void validate(const OptimizerOptions& options);

/// With what is usual for the kind where an option is left open.
[[nodiscard]] UpdateOptions update_options(const OptimizerOptions& options);

/// What the options say, or what is usual for the kind.
[[nodiscard]] double learning_rate(const OptimizerOptions& options);

/// How many state arenas (each as long as the trainable parameters) the optimizer keeps: 0 to
/// kMostStates.
[[nodiscard]] int state_arenas(const OptimizerOptions& options);

/// The numbers of step t.
[[nodiscard]] UpdateConstants update_constants(const OptimizerOptions& options,
                                               double learning_rate, std::int64_t t);

/// One step: t counts from 1; `learning_rate` is that of this step (a schedule's), not the
/// options'. `states` are state_arenas(options). All spans are equally long. Element-wise: parts of
/// an arena can be updated by different threads. In float64, for the reference engine.
void update(const OptimizerOptions& options, double learning_rate, std::int64_t t,
            std::span<double> weights, std::span<const double> gradients,
            std::span<const std::span<double>> states);

/// The same in float32 with the constants of a step, for engines without a loop of their own for
/// the rule. `states` are state_arenas(options) or more. Allocates nothing.
void update_floats(const OptimizerOptions& options, const UpdateConstants& constants,
                   std::span<float> weights, std::span<const float> gradients,
                   std::span<const std::span<float>> states);

}  // namespace millrace::nn

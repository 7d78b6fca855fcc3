#pragma once
// Optimizers as one pass over flat arenas, so that an update knows nothing of layers.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace millrace::nn {

/// sgd, adam and adamw are those of torch.optim (SGD without dampening); keras_adam is
/// keras.optimizers.Adam, with epsilon outside the uncorrected root and 1e-7 by default. Formulas:
/// docs/optimizers.md.
enum class OptimizerKind { sgd, adam, keras_adam, adamw };

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::sgd;
  double learning_rate = 0.01;
  double momentum = 0.0;  ///< sgd
  bool nesterov = false;  ///< sgd
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 0.0;       ///< 0: the kind's own, 1e-8 (keras_adam 1e-7)
  double weight_decay = 0.0;  ///< sgd, adam, keras_adam: added to the gradient; adamw: decoupled
};

/// "sgd", "adam", "keras_adam", "adamw". Throws UsageError that lists them.
[[nodiscard]] OptimizerKind optimizer_kind(std::string_view name);
[[nodiscard]] const char* to_string(OptimizerKind kind) noexcept;

/// Throws UsageError that names the first option out of its range. Engines call it in compile().
void validate(const OptimizerOptions& options);

/// How many state arenas (each as long as the trainable parameters) the optimizer keeps: 0, 1 or 2.
[[nodiscard]] int state_arenas(const OptimizerOptions& options) noexcept;

/// The numbers of one step, for engines with loops of their own. With g the gradient plus decay *
/// w:
///   no state arena  w -= rate g
///   one             b = momentum b + g;  w -= rate (own g + past b)
///   two             m = beta1 m + rest1 g;  v = beta2 v + rest2 g g;
///                   w = keep w - rate m / (root_scale sqrt(v) + epsilon)
struct UpdateConstants {
  double rate = 0, decay = 0;
  double momentum = 0, own = 1, past = 0;
  double beta1 = 0, rest1 = 0, beta2 = 0, rest2 = 0;
  double keep = 1, root_scale = 1, epsilon = 0;
};
[[nodiscard]] UpdateConstants update_constants(const OptimizerOptions& options,
                                               double learning_rate, std::int64_t t);

/// One step: t counts from 1; `learning_rate` is that of this step (a schedule's), not the
/// options'. `first` and `second` are the state arenas, empty where the kind has none. All spans
/// are equally long. Element-wise: parts of an arena can be updated by different threads. Float
/// computes in Float with constants from double.
template <class Float>
void update(const OptimizerOptions& options, double learning_rate, std::int64_t t,
            std::span<Float> weights, std::span<const Float> gradients, std::span<Float> first,
            std::span<Float> second);

extern template void update<float>(const OptimizerOptions&, double, std::int64_t, std::span<float>,
                                   std::span<const float>, std::span<float>, std::span<float>);
extern template void update<double>(const OptimizerOptions&, double, std::int64_t,
                                    std::span<double>, std::span<const double>, std::span<double>,
                                    std::span<double>);

}  // namespace millrace::nn

#pragma once
// What happens to gradients between the backward pass and the optimizer, as Keras does it: L2
// regularisation of kernels, then one kind of clipping. This defines the work that engines do.

namespace millrace::nn {

/// 0 switches an option off. At most one of the clips may be on, as in Keras.
struct GradientOptions {
  /// Keras's kernel_regularizer L2(l2): l2 * (sum of w^2 over all trainable kernels) is part of the
  /// loss, in training and in evaluation, and 2 l2 w of the gradient. Not weight decay, which
  /// OptimizerOptions has: that adds to the clipped gradient, and nothing to the loss.
  double l2 = 0;
  double clip_value = 0;        ///< each element to [-clip_value, clip_value]
  double clip_norm = 0;         ///< each parameter's gradient to this norm, if it is longer
  double clip_global_norm = 0;  ///< the same for the norm of all gradients together
};

/// Throws UsageError that names the first option out of its range, or two clips at once.
void validate(const GradientOptions& options);

/// What clip_norm multiplies a gradient of norm `norm` by: limit / max(norm, limit). (PyTorch's
/// clip_grad_norm_ has limit / (norm + 1e-6), at most 1, so it shortens by up to 1e-6 more.)
[[nodiscard]] double norm_factor(double limit, double norm) noexcept;

/// The same for clip_global_norm: limit * min(1 / norm, 1 / limit), but NaN where the norm is not
/// finite, so that a step that went wrong shows.
[[nodiscard]] double global_norm_factor(double limit, double norm) noexcept;

}  // namespace millrace::nn

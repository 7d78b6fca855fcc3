#pragma once
// Loss, gradient and right answers of a row of logits: the losses of nn/losses/ for the rows of a
// batch, and their totals.

#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/scalars.h>
#include <millrace/nn/loss.h>

#include <cstdint>

namespace millrace::gpu {

struct LossSize {
  nn::Loss loss{};
  std::int64_t samples = 0;  ///< rows there are; scalars->samples of them are valid
  std::int64_t outputs = 0, stored = 0;
  double label_smoothing = 0;
  bool labels_are_indices = true;  ///< i32 [samples], else f32 [samples][outputs]
  bool weighs_outputs = false;     ///< weights are [samples][outputs], else [samples]
};
/// From float32 logits [samples][stored], a row a call, formulas of nn/loss.h: dlogits (of `type`,
/// null outside training) = scale * weight / valid * d loss, zero in rows that are not valid;
/// losses float64 [2][samples], weights included (the second half is used with weights of outputs
/// alone, for each row's mean of them), and right answers u8 [samples]. An index that is no
/// class makes its row's loss NaN and its gradient zero.
[[nodiscard]] Launch loss(Type type, const float* logits, const void* labels, const float* weights,
                          void* dlogits, double* losses, std::uint8_t* right, const LossSize& size,
                          const Scalars* scalars);
/// Adds up the rows in order, and scalars->penalty for each sample, into the results: after
/// update() or penalty() where L2 is on.
[[nodiscard]] Launch loss_totals(const double* losses, const float* weights,
                                 const std::uint8_t* right, const LossSize& size, Scalars* scalars);

}  // namespace millrace::gpu

#pragma once
// A batch norm with given statistics after a convolution is a factor and a shift a channel, so the
// convolution does its work with other weights and another bias. They are made once, until
// parameters change.

#include <millrace/cpu/lower/lowering.h>

namespace millrace::cpu {

/// The batch norm that a forward convolution can do: with running statistics, the only one to read
/// what the convolution makes, and, in training, of layers that are frozen and that no derivative
/// passes. Null if there is none, or Options::folds_norms is not set.
[[nodiscard]] const nn::Op* foldable_norm(const Lowering& lowering, const nn::Op& convolution);

/// The kernel and bias of both together: the kernel in the layout `wanted`. Appends what makes them
/// to the preparation.
struct FoldedNorm {
  SlotId kernel, bias;
};
[[nodiscard]] FoldedNorm fold(Lowering& lowering, const nn::Op& convolution, const nn::Op& norm,
                              const Layout& wanted);

}  // namespace millrace::cpu

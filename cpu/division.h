#pragma once
// How a training step is divided between threads that compute side by side. Most
// operations are divided by samples: a slice takes some rows of the batch through them. A dense
// layer with more weights than a batch has values for it is divided by outputs: a slice computes
// some outputs of all rows, forward and in the gradient of the weights. It then reads and writes
// only its own weights, once a step; by rows, all weights and all their gradients would pass
// through every core.

#include <millrace/cpu/engine_options.h>
#include <millrace/nn/engine.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <vector>

namespace millrace::cpu {

/// Outputs [first, first + count) of a layer.
struct Outputs {
  std::int64_t first = 0, count = 0;
};

struct Division {
  std::int64_t slices = 1;
  std::vector<bool> by_outputs{};  ///< by layer, while training; never with one slice

  [[nodiscard]] bool is_by_outputs(int layer) const {
    return !by_outputs.empty() && by_outputs[static_cast<std::size_t>(layer)];
  }
};

/// Outputs come to a slice in blocks of this many, because weights lie in such blocks.
inline constexpr std::int64_t kOutputBlock = 64;

/// The division for `threads` threads. One slice where slices would change what is computed, or
/// would cost more memory for gradients than they are worth.
[[nodiscard]] Division divide(const nn::Model& model, const nn::CompileOptions& options,
                              int threads, Sharing sharing);

/// A slice's share of a layer's outputs; none of them is empty if there is a block for each.
[[nodiscard]] Outputs outputs_of(std::int64_t outputs, std::int64_t slice, std::int64_t slices);

}  // namespace millrace::cpu

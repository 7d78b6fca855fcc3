#pragma once
// Which convolutions Winograd's algorithm can do, by oneDNN's kernel or Millrace's.

#include <millrace/cpu/kernels/winograd.h>
#include <millrace/cpu/lower/lowering.h>

#include <optional>

namespace millrace::cpu {

[[nodiscard]] std::int64_t groups_of(const onednn::Convolution& shape);

/// Whether the engine's options want it and it may be worth it.
[[nodiscard]] bool may_be_winograd(const Lowering& lowering, const onednn::Convolution& shape);

/// How our own kernel, which one thread runs, does the pass by the source or forward; nothing where
/// it cannot.
[[nodiscard]] std::optional<Winograd> own_winograd(const Lowering& lowering,
                                                   const onednn::Convolution& shape,
                                                   bool is_backward);

}  // namespace millrace::cpu

#pragma once
// Dropout and stochastic depth with the masks of nn/layers/dropout.h, computed where they are
// needed: forward and again backward.

#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/scalars.h>

#include <cstdint>

namespace millrace::gpu {

/// y = x / (1 - rate) where the mask of nn/layers/dropout.h keeps, else 0. Forward and backward are
/// the same function. Elements of a sample are numbered as nn's are: pixels, then channels that
/// count.
struct DropoutSize {
  std::int64_t samples = 0, pixels = 0, channels = 0, stored = 0;
  float rate = 0;
  int layer = 0;
  std::uint64_t seed = 0;
};
[[nodiscard]] Launch dropout(Type type, const void* x, void* y, const DropoutSize& size,
                             const std::uint64_t* positions, const Scalars* scalars);
/// The same by whole samples: what the mask says of a sample's first element holds for all of them.
[[nodiscard]] Launch drop_samples(Type type, const void* x, void* y, const DropoutSize& size,
                                  const std::uint64_t* positions, const Scalars* scalars);

}  // namespace millrace::gpu

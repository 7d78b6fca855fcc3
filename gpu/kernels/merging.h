#pragma once
// Where values meet: sums, products, and channels side by side.

#include <millrace/gpu/kernels/plane.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::gpu {

/// y = the sum of the terms, which is rounded once, then max(y, 0) if `relu`. y may be a term.
/// Requires: 2 to kMostTerms terms.
inline constexpr std::size_t kMostTerms = 8;
[[nodiscard]] Launch sum(Type type, std::span<const void* const> terms, void* y,
                         std::int64_t elements, bool relu);
/// dx = y > 0 ? a + b : 0. dx may be a or b.
[[nodiscard]] Launch sum_and_relu_backward(Type type, const void* a, const void* b, const void* y,
                                           void* dx, std::int64_t elements);
/// y = a * b. y may be a or b.
[[nodiscard]] Launch product(Type type, const void* a, const void* b, void* y,
                             std::int64_t elements);
/// y = x * factors, which are [samples][stored]; a sample has `pixels` rows of the plane. y may be
/// x.
[[nodiscard]] Launch channel_products(Type type, const void* x, const void* factors, void* y,
                                      const Plane& plane, std::int64_t pixels);
/// sums [samples][stored]: of a * b over the pixels of a sample.
[[nodiscard]] Launch channel_product_sums(Type type, const void* a, const void* b, void* sums,
                                          const Plane& plane, std::int64_t pixels);

/// Rows of channels of which some are copied: [rows][from_stored] -> [rows][to_stored].
struct ChannelCopy {
  std::int64_t rows = 0, channels = 0;
  std::int64_t from_first = 0, from_stored = 0, to_first = 0, to_stored = 0;
  std::int64_t zeros = 0;  ///< channels after them that are set to zero
};
[[nodiscard]] Launch copy_channels(Type type, const void* x, void* y, const ChannelCopy& how);

}  // namespace millrace::gpu

#pragma once
// Where values meet: sums, products and parts side by side, element by element, for one thread or
// OpenMP's. Memory is float32. Results do not depend on the speed of threads.

#include <millrace/cpu/kernels/rectifier.h>
#include <millrace/cpu/layouts.h>

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::cpu {

/// y = a + b, then the rectifier of this ceiling. y may be a or b.
void add(std::int64_t count, const float* a, const float* b, float ceiling, float* y);

/// y = a + b, and 0 where what a ReLU made is not above 0. y may be any of the others.
void add_before_relu(std::int64_t count, const float* a, const float* b, const float* relu,
                     float* y);

/// y = a * b. y may be any of the others.
void multiply(std::int64_t count, const float* a, const float* b, float* y);

/// y = x * factors, [samples][channels]. y may be x.
void multiply_channels(const ChannelBlocks& image, const float* x, const float* factors, float* y);

/// sums[sample][channel] = the sum of a * b over the pixels.
void sum_channel_products(const ChannelBlocks& image, const float* a, const float* b, float* sums);

/// Parts side by side: a row of `whole` is a row of each of `parts`, whose rows have `sizes`
/// elements.
struct SideBySide {
  std::int64_t rows = 0;
  std::vector<std::int64_t> sizes{};
};
void join(const SideBySide& how, std::span<const float* const> parts, float* whole);
/// Parts that are null are left out.
void split(const SideBySide& how, const float* whole, std::span<float* const> parts);

}  // namespace millrace::cpu

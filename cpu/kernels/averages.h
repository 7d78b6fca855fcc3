#pragma once
// Means over parts of an image that oneDNN has no pooling for, and their derivatives. Parts may
// overlap. OpenMP's threads take images, whose sums have a fixed order; apart from that,
// thread-safe.

#include <millrace/nn/window.h>

#include <cstdint>

namespace millrace::cpu {

struct Averages {
  std::int64_t images = 0;             ///< samples, times blocks of channels in each
  std::int64_t rows = 0, columns = 0;  ///< of what is read
  std::int64_t channels = 0;           ///< that lie side by side, a block's
  nn::Stretches parts;
};

/// y = the mean of each part, row by row.
void average(const Averages& how, const float* x, float* y);
/// dx = the sum, over the parts that a pixel is in, of dy divided by what the part counts.
void average_backward(const Averages& how, const float* dy, float* dx);

}  // namespace millrace::cpu

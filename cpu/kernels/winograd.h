#pragma once
// 3x3 convolutions of stride 1 by Winograd's algorithm: tiles of 6x6 results, F(6x6, 3x3) (S.
// Winograd, "Arithmetic complexity of computations", 1980; A. Lavin and S. Gray, "Fast algorithms
// for convolutional neural networks", 2016, arXiv:1509.09308). 64 products of matrices replace
// 324 multiplications a tile and pair of channels. A few tiles at a time pass through all steps, so
// that intermediate values stay in a core's caches. Results are up to 3e-5 of their standard
// deviation away from float64, ten times as far as those of the direct algorithm. Thread-safe.

#include <millrace/cpu/kernels/rectifier.h>

#include <cstddef>
#include <cstdint>

namespace millrace::cpu {

/// Images and weights lie in blocks of 16 channels: [image][channel / 16][row][column][16].
struct Winograd {
  std::int64_t images = 0;
  std::int64_t from_channels = 0;  ///< a multiple of 16
  std::int64_t to_channels = 0;    ///< a multiple of 32
  std::int64_t from_rows = 0, from_columns = 0, to_rows = 0, to_columns = 0;
  std::int64_t top = 0, left = 0;  ///< rows and columns of zeros around what is read
  /// Derivatives by a convolution's source from those by its result: the kernel turned by half a
  /// turn, and the channels the other way.
  bool is_backward = false;
  bool adds = false;             ///< the result to what `to` holds
  float ceiling = kNoRectifier;  ///< of the rectifier after it

  [[nodiscard]] bool is_possible() const {
    return from_channels % 16 == 0 && to_channels % 32 == 0 && from_channels > 0 && to_channels > 0;
  }
  /// Of the memory that convolve() works in; 64-byte aligned.
  [[nodiscard]] std::size_t scratch_bytes() const;
};

/// to = convolution of `from`, plus `bias` of each channel unless it is null, plus what `to` holds
/// if it adds, then the rectifier if there is one. `weights`: [to / 16][from / 16][3][3][16 from]
/// [16 to]; backward, of the convolution's own channels in and out,
/// [out / 16][in / 16][3][3][16 out][16 in].
void convolve(const Winograd& shape, const float* from, const float* weights, const float* bias,
              float* to, std::byte* scratch);

}  // namespace millrace::cpu

#pragma once
// Dropout with the masks of nn/dropout.h, drawn anew where they are needed: forward and backward.

#include <millrace/core/random.h>
#include <millrace/gpu/kernels/lanes.h>
#include <millrace/gpu/kernels/philox.h>
#include <millrace/gpu/scalars.h>

#include <cstdint>

namespace millrace::gpu {

/// A chunk of channels a call. Samples that are not valid have no draw; they get zero.
template <class T>
struct Dropout {
  const T* x;
  T* y;
  std::int64_t pixels, channels, stored;
  std::uint32_t threshold;  ///< words from it on keep their element
  std::uint32_t operation;  ///< layer and kind of draw, the low part of the counter's last word
  float factor;             ///< 1 / (1 - rate)
  std::uint64_t seed;
  const std::uint64_t* draws;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const auto [n, pixel] = divide(row, pixels);
    const std::int64_t first = chunk * kLanes;
    const std::int64_t counting = n < scalars->samples ? channels - first : 0;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    if (counting > 0) keep_some(values, pixel * channels + first, draws[n]);
    store_lanes(y + i * kLanes, values, counting);
  }

  /// `element`: number of the first lane in its sample.
  template <int N>
  MILLRACE_HOST_DEVICE void keep_some(Lanes<N>& values, std::int64_t element,
                                      std::uint64_t draw) const {
    PhiloxWords block = block_of(element, draw);
    for (int k = 0; k < N; ++k) {
      const auto word = static_cast<unsigned>(element + k) % 4;
      if (k > 0 && word == 0) block = block_of(element + k, draw);
      values[k] = chosen(block, word) >= threshold ? values[k] * factor : 0.0F;
    }
  }
  MILLRACE_HOST_DEVICE PhiloxWords block_of(std::int64_t element, std::uint64_t draw) const {
    return philox(
        {{static_cast<std::uint32_t>(element / 4), scalars->pass, static_cast<std::uint32_t>(draw),
          static_cast<std::uint32_t>(draw >> 32) << 24 | operation}},
        seed);
  }
  /// Without an address, so that the words stay in registers.
  MILLRACE_HOST_DEVICE static std::uint32_t chosen(const PhiloxWords& block, unsigned word) {
    const std::uint32_t low = word == 0 ? block.words[0] : block.words[1];
    const std::uint32_t high = word == 2 ? block.words[2] : block.words[3];
    return word < 2 ? low : high;
  }
};

}  // namespace millrace::gpu

#include <millrace/gpu/kernels/dropout.h>

#include <millrace/core/random.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/philox.h>

#include <cmath>

namespace millrace::gpu {

/// Where the words come from that say which elements are kept.
struct MaskWords {
  std::uint32_t threshold;  ///< words from it on keep their element
  std::uint32_t purpose;    ///< layer and purpose, the low part of the counter's last word
  std::uint64_t seed;
  const std::uint64_t* positions;
  const Scalars* scalars;

  /// Of four elements of a valid sample, from number 4 `block` on.
  MILLRACE_HOST_DEVICE PhiloxWords operator()(std::int64_t sample, std::int64_t block) const {
    const std::uint64_t position = positions[sample];
    return philox(
        {{static_cast<std::uint32_t>(block), scalars->pass, static_cast<std::uint32_t>(position),
          static_cast<std::uint32_t>(position >> 32) << 24 | purpose}},
        seed);
  }
};

/// A chunk of channels a call. Samples that are not valid have no position; they get zero.
template <class T>
struct Dropout {
  const T* x;
  T* y;
  std::int64_t pixels, channels, stored;
  float factor;  ///< 1 / (1 - rate)
  MaskWords words;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const auto [n, pixel] = divide(row, pixels);
    const std::int64_t first = chunk * kLanes;
    const std::int64_t counting = n < words.scalars->samples ? channels - first : 0;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    if (counting > 0) keep_some(values, n, pixel * channels + first);
    store_lanes(y + i * kLanes, values, counting);
  }

  /// `element`: number of the first lane in its sample.
  template <int N>
  MILLRACE_HOST_DEVICE void keep_some(Lanes<N>& values, std::int64_t sample,
                                      std::int64_t element) const {
    PhiloxWords block = words(sample, element / 4);
    for (int k = 0; k < N; ++k) {
      const auto word = static_cast<unsigned>(element + k) % 4;
      if (k > 0 && word == 0) block = words(sample, (element + k) / 4);
      values[k] = chosen(block, word) >= words.threshold ? values[k] * factor : 0.0F;
    }
  }
  /// Without an address, so that the words stay in registers.
  MILLRACE_HOST_DEVICE static std::uint32_t chosen(const PhiloxWords& block, unsigned word) {
    const std::uint32_t low = word == 0 ? block.words[0] : block.words[1];
    const std::uint32_t high = word == 2 ? block.words[2] : block.words[3];
    return word < 2 ? low : high;
  }
};

/// Likewise.
template <class T>
struct DropSamples {
  const T* x;
  T* y;
  std::int64_t pixels, channels, stored;
  float factor;
  MaskWords words;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const std::int64_t n = divide(row, pixels).quotient;
    const bool is_kept = n < words.scalars->samples && words(n, 0).words[0] >= words.threshold;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    for (int k = 0; k < kLanes; ++k) values[k] *= factor;
    store_lanes(y + i * kLanes, values, is_kept ? channels - chunk * kLanes : 0);
  }
};

namespace {

template <template <class> class Functor>
Launch masked(const char* kernel, Type type, const void* x, void* y, const DropoutSize& size,
              const std::uint64_t* positions, const Scalars* scalars) {
  MILLRACE_CHECK(size.samples > 0 && size.pixels > 0, kernel, ": no pixels");
  MILLRACE_CHECK(size.rate >= 0 && size.rate < 1, kernel, "'s rate is in [0, 1), not ", size.rate);
  MILLRACE_CHECK(size.layer >= 0 && size.layer < (1 << 16), kernel,
                 " knows 2^16 layers, not layer ", size.layer);
  const Plane plane{size.samples * size.pixels, size.channels, size.stored};
  const double rate = size.rate;
  return typed(kernel, type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        Functor<T>{.x = at.reads<T>(x),
                   .y = at.writes<T>(y),
                   .pixels = size.pixels,
                   .channels = size.channels,
                   .stored = size.stored,
                   .factor = static_cast<float>(1 / (1 - rate)),
                   .words = {.threshold = static_cast<std::uint32_t>(std::ceil(rate * 0x1p32)),
                             .purpose = static_cast<std::uint32_t>(size.layer) << 8 |
                                        static_cast<std::uint32_t>(Purpose::dropout),
                             .seed = size.seed,
                             .positions = at.reads_any<std::uint64_t>(positions, size.samples),
                             .scalars = at.reads_any<Scalars>(scalars)}});
  });
}

}  // namespace

Launch dropout(Type type, const void* x, void* y, const DropoutSize& size,
               const std::uint64_t* positions, const Scalars* scalars) {
  return masked<Dropout>("dropout", type, x, y, size, positions, scalars);
}

Launch drop_samples(Type type, const void* x, void* y, const DropoutSize& size,
                    const std::uint64_t* positions, const Scalars* scalars) {
  return masked<DropSamples>("drop_samples", type, x, y, size, positions, scalars);
}

}  // namespace millrace::gpu

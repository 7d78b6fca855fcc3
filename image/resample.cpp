#include <millrace/image/resample.h>

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/image/resample.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::resample::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kRound = 1 << (FilterTable::kFractionBits - 1);

using Sums = hn::CappedTag<std::int32_t, FilterTable::kVector>;
using Samples = hn::Rebind<std::uint8_t, Sums>;

// Sum over i of samples[i] * weights[i] in lanes; `n` is rounded up, the weights there are zero.
template <class D>
hn::Vec<D> weighted(D d, const std::uint8_t* samples, const std::int32_t* weights, std::size_t n) {
  const hn::Rebind<std::uint8_t, D> bytes;
  hn::Vec<D> sum = hn::Zero(d);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto sample = hn::PromoteTo(d, hn::LoadU(bytes, samples + i));
    sum = hn::Add(sum, hn::Mul(sample, hn::LoadU(d, weights + i)));
  }
  return sum;
}

// Narrows to 8 bits with saturation, as clipping to 0..255 asks for.
template <class D>
hn::Vec<hn::Rebind<std::uint8_t, D>> to_samples(D d, hn::Vec<D> sum) {
  const hn::Rebind<std::uint8_t, D> bytes;
  const auto rounded = hn::Add(sum, hn::Set(d, kRound));
  return hn::DemoteTo(bytes, hn::ShiftRight<FilterTable::kFractionBits>(rounded));
}

void HorizontalGray(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out) {
  const Sums d;
  for (int x = 0; x < table.out; ++x) {
    const auto at = static_cast<std::size_t>(x);
    const auto sum = weighted(d, row + table.first[at], table.weights_of(x),
                              static_cast<std::size_t>(table.count[at]));
    const auto total = hn::GetLane(hn::SumOfLanes(d, sum));
    const std::int32_t value = (total + kRound) >> FilterTable::kFractionBits;
    out[x] = static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
  }
}

#if HWY_TARGET == HWY_SCALAR
void HorizontalRgbx(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out) {
  for (int x = 0; x < table.out; ++x) {
    const auto at = static_cast<std::size_t>(x);
    for (int channel = 0; channel < 3; ++channel) {
      std::int32_t sum = kRound;
      for (int tap = 0; tap < table.count[at]; ++tap) {
        sum += row[4 * (table.first[at] + tap) + channel] * table.weights_of(x)[4 * tap];
      }
      sum >>= FilterTable::kFractionBits;
      out[3 * x + channel] = static_cast<std::uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
  }
}
#else
using Pixel = hn::FixedTag<std::int32_t, 4>;
// One pixel a vector, or two where vectors are known to be that long when compiling.
using Pixels = hn::CappedTag<std::int32_t, HWY_HAVE_SCALABLE ? 4 : FilterTable::kVector>;

template <class D>
hn::Vec<Pixel> sum_of_pixels(D, hn::Vec<D> sums) {
  if constexpr (hn::MaxLanes(D()) == 8) {
    const Pixel d;
    return hn::Add(hn::LowerHalf(d, sums), hn::UpperHalf(d, sums));
  } else {
    return sums;
  }
}

void HorizontalRgbx(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out) {
  const Pixels d;
  const Pixel pixel;
  HWY_ALIGN std::uint8_t four[4];
  for (int x = 0; x < table.out; ++x) {
    const auto at = static_cast<std::size_t>(x);
    const auto sums = weighted(d, row + 4 * table.first[at], table.weights_of(x),
                               4 * static_cast<std::size_t>(table.count[at]));
    hn::StoreU(to_samples(pixel, sum_of_pixels(d, sums)), hn::Rebind<std::uint8_t, Pixel>(), four);
    std::memcpy(out + 3 * x, four, 4);
  }
}
#endif

void Vertical(const std::uint8_t* const* rows, std::size_t n, const std::int32_t* weights,
              std::uint8_t* out, std::size_t bytes) {
  const Sums d;
  const Samples samples;
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN std::uint8_t last[FilterTable::kVector];
  for (std::size_t i = 0; i < bytes; i += lanes) {
    auto sum = hn::Zero(d);
    for (std::size_t tap = 0; tap < n; ++tap) {
      const auto sample = hn::PromoteTo(d, hn::LoadU(samples, rows[tap] + i));
      sum = hn::Add(sum, hn::Mul(sample, hn::Set(d, weights[tap])));
    }
    if (i + lanes <= bytes) {
      hn::StoreU(to_samples(d, sum), samples, out + i);
    } else {
      hn::StoreU(to_samples(d, sum), samples, last);
      std::memcpy(out + i, last, bytes - i);
    }
  }
}

void WidenRgb(const std::uint8_t* rgb, int width, std::uint8_t* rgbx) {
  const hn::CappedTag<std::uint8_t, 32> d;
  const auto lanes = static_cast<int>(hn::Lanes(d));
  int x = 0;
  for (; x + lanes <= width; x += lanes) {
    hn::Vec<decltype(d)> r, g, b;
    hn::LoadInterleaved3(d, rgb + 3 * x, r, g, b);
    hn::StoreInterleaved4(r, g, b, b, d, rgbx + 4 * x);
  }
  for (; x < width; ++x) std::memcpy(rgbx + 4 * x, rgb + 3 * x, 3);
}

}  // namespace millrace::resample::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::resample {

HWY_EXPORT(HorizontalGray);
HWY_EXPORT(HorizontalRgbx);
HWY_EXPORT(Vertical);
HWY_EXPORT(WidenRgb);

void horizontal_gray(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(HorizontalGray)(row, table, out);
}

void horizontal_rgbx(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(HorizontalRgbx)(row, table, out);
}

void vertical(std::span<const std::uint8_t* const> rows, const std::int32_t* weights,
              std::uint8_t* out, std::size_t bytes) {
  HWY_DYNAMIC_DISPATCH(Vertical)(rows.data(), rows.size(), weights, out, bytes);
}

void widen_rgb(const std::uint8_t* rgb, int width, std::uint8_t* rgbx) {
  HWY_DYNAMIC_DISPATCH(WidenRgb)(rgb, width, rgbx);
}

}  // namespace millrace::resample
#endif

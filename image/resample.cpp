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

// Sum over i of samples[i] * weights[i], spread over the lanes. `n` is a multiple of the lanes.
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
  const std::int32_t* const first = table.first.data();  // stores to `out` could change the table,
  const std::int32_t* weights = table.weights.data();    // for all the compiler knows
  const std::size_t stride = table.stride;
  const int width = table.out;
  for (int x = 0; x < width; ++x, weights += stride) {
    const auto sum = weighted(d, row + first[x], weights, stride);
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
  if constexpr (hn::MaxLanes(D()) > 4) {
    const hn::Half<D> half;
    return sum_of_pixels(half, hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums)));
  } else {
    return sums;
  }
}

void HorizontalRgbx(const std::uint8_t* row, const FilterTable& table, std::uint8_t* out) {
  const Pixels d;
  const Pixel pixel;
  const hn::Rebind<std::uint8_t, Pixel> bytes;
  const std::int32_t* const first = table.first.data();
  const std::int32_t* weights = table.weights.data();
  const std::size_t stride = table.stride;
  const int width = table.out;
  for (int x = 0; x < width; ++x, weights += stride) {
    const auto sums = weighted(d, row + 4 * first[x], weights, stride);
    hn::StoreU(to_samples(pixel, sum_of_pixels(d, sums)), bytes, out + 3 * x);
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
  int x = 0;
#if HWY_TARGET != HWY_SCALAR
  // Four pixels at a time out of sixteen bytes, of which the last four belong to later pixels.
  const hn::FixedTag<std::uint8_t, 16> d;
  HWY_ALIGN constexpr std::uint8_t kOrder[16] = {0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11};
  const auto order = hn::Load(d, kOrder);
  for (; x + 6 <= width; x += 4) {
    hn::StoreU(hn::TableLookupBytes(hn::LoadU(d, rgb + 3 * x), order), d, rgbx + 4 * x);
  }
#endif
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

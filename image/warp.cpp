#include <millrace/image/warp.h>

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/image/warp.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::warp::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// No more than 8 lanes, which kPadding covers twice.
using Doubles = hn::CappedTag<double, 8>;
using Floats = hn::CappedTag<float, kPadding>;

// The coordinate in [-1, extent] where the image continued beyond its border has the same value.
// The last clamp costs little and keeps indices in the image whatever rounding does.
template <Border border>
hn::Vec<Doubles> fold(Doubles d, hn::Vec<Doubles> x, double extent) {
  const auto zero = hn::Zero(d), last = hn::Set(d, extent - 1);
  if constexpr (border == Border::reflect) {
    const auto period = hn::Set(d, 2 * extent);
    x = hn::Sub(x, hn::Mul(period, hn::Floor(hn::Div(x, period))));
    const auto mirrored = hn::Sub(hn::Set(d, 2 * extent - 1), x);
    x = hn::IfThenElse(hn::Lt(x, hn::Set(d, extent)), x, mirrored);
    return hn::Min(hn::Max(x, hn::Set(d, -1.0)), last);
  } else if constexpr (border == Border::wrap) {
    const auto period = hn::Set(d, extent);
    x = hn::Sub(x, hn::Mul(period, hn::Floor(hn::Div(x, period))));
    x = hn::IfThenElse(hn::Lt(x, period), x, zero);  // rounding may give the period itself
    return hn::Max(x, zero);
  } else if constexpr (border == Border::wrap_short) {
    if (extent == 1) return zero;
    const auto turns = hn::Floor(hn::Div(x, last));
    const auto back = hn::Floor(hn::Div(hn::Neg(x), last));
    const auto above = hn::Sub(x, hn::Mul(last, turns));
    const auto below = hn::Add(x, hn::Mul(last, hn::Add(back, hn::Set(d, 1.0))));
    x = hn::IfThenElse(hn::Lt(x, zero), below, hn::IfThenElse(hn::Gt(x, last), above, x));
    return hn::Min(hn::Max(x, zero), last);
  } else {
    return hn::Min(hn::Max(x, zero), last);
  }
}

// The pixel at or before a coordinate within the image, or, if `rounds`, the nearest one. Never
// beyond the last, so that its neighbours are in the image with its border.
template <Border border>
hn::Vec<Doubles> pixel_at(Doubles d, hn::Vec<Doubles> x, double extent, bool rounds) {
  if (!rounds) return hn::Floor(x);
  const auto nearest = hn::Floor(hn::Add(x, hn::Set(d, 0.5)));
  if constexpr (border != Border::wrap) return nearest;
  return hn::IfThenElse(hn::Lt(nearest, hn::Set(d, extent)), nearest, hn::Zero(d));
}

template <Border border>
void LocateWithin(const Row& at, std::size_t n, std::int32_t* offsets, float* down, float* right) {
  const Doubles d;
  const hn::Rebind<std::int32_t, Doubles> integers;
  const hn::Rebind<float, Doubles> floats;
  const auto coordinate = [&](const Coordinate& c, hn::Vec<Doubles> column) {
    const auto sum = hn::Add(hn::Set(d, c.at_row), hn::Mul(column, hn::Set(d, c.step)));
    return hn::Add(sum, hn::Set(d, c.offset));
  };
  const double row_extent = at.row.extent, column_extent = at.column.extent;
  const auto width = hn::Set(d, column_extent + 2);
  const auto corner = hn::Set(d, column_extent + 3);  // of the image within its border
  // Whole vectors of floats are read later, so all of their places must be in the image.
  const std::size_t padded = (n + kPadding - 1) / kPadding * kPadding;
  for (std::size_t i = 0; i < padded; i += hn::Lanes(d)) {
    const auto place = hn::Iota(d, static_cast<double>(i));
    const auto column =
        hn::Add(hn::Set(d, at.first_column), hn::Mul(place, hn::Set(d, at.column_step)));
    const auto y = coordinate(at.row, column), x = coordinate(at.column, column);
    const auto inner_y = fold<border>(d, y, row_extent);
    const auto inner_x = fold<border>(d, x, column_extent);
    const auto top = pixel_at<border>(d, inner_y, row_extent, at.rounds);
    const auto left = pixel_at<border>(d, inner_x, column_extent, at.rounds);
    auto offset = hn::Add(hn::Add(hn::Mul(top, width), left), corner);
    auto below = at.rounds ? hn::Zero(d) : hn::Sub(inner_y, top);
    auto beyond = at.rounds ? hn::Zero(d) : hn::Sub(inner_x, left);
    if constexpr (border == Border::constant) {
      const auto is_inside = hn::And(hn::Eq(inner_y, y), hn::Eq(inner_x, x));
      offset = hn::IfThenElseZero(is_inside, offset);
      below = hn::IfThenElseZero(is_inside, below);
      beyond = hn::IfThenElseZero(is_inside, beyond);
    }
    hn::StoreU(hn::DemoteTo(integers, offset), integers, offsets + i);
    hn::StoreU(hn::DemoteTo(floats, below), floats, down + i);
    hn::StoreU(hn::DemoteTo(floats, beyond), floats, right + i);
  }
}

void Locate(const Row& row, std::size_t n, std::int32_t* offsets, float* down, float* right) {
  switch (row.border) {
    case Border::clamp: return LocateWithin<Border::clamp>(row, n, offsets, down, right);
    case Border::constant: return LocateWithin<Border::constant>(row, n, offsets, down, right);
    case Border::reflect: return LocateWithin<Border::reflect>(row, n, offsets, down, right);
    case Border::wrap: return LocateWithin<Border::wrap>(row, n, offsets, down, right);
    case Border::wrap_short: return LocateWithin<Border::wrap_short>(row, n, offsets, down, right);
  }
}

// a + (b - a) * t, in two roundings more than a fused step but the same everywhere.
template <class V>
V between(V a, V b, V t) {
  return hn::Add(a, hn::Mul(hn::Sub(b, a), t));
}

// One float a pixel: as many pixels at a time as a vector has lanes.
void BlendGrey(const Source& source, std::size_t n, const std::int32_t* offsets, const float* down,
               const float* right, float* out) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  const float* const upper = source.pixels;
  const float* const lower = source.pixels + source.width;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto at = hn::LoadU(integers, offsets + i);
    const auto t = hn::LoadU(d, right + i);
    const auto top = between(hn::GatherIndex(d, upper, at), hn::GatherIndex(d, upper + 1, at), t);
    const auto bottom =
        between(hn::GatherIndex(d, lower, at), hn::GatherIndex(d, lower + 1, at), t);
    hn::StoreU(between(top, bottom, hn::LoadU(d, down + i)), d, out + i);
  }
}

// Four floats a pixel: one pixel at a time, four channels at once.
void BlendPixels(const Source& source, std::size_t n, const std::int32_t* offsets,
                 const float* down, const float* right, float* out) {
#if HWY_TARGET == HWY_SCALAR
  constexpr std::size_t kLanes = 1;
#else
  constexpr std::size_t kLanes = 4;
#endif
  const hn::FixedTag<float, kLanes> d;
  const std::size_t next_row = source.width * source.lanes;
  for (std::size_t i = 0; i < n; ++i, out += source.channels) {
    const float* const upper = source.pixels + static_cast<std::size_t>(offsets[i]) * source.lanes;
    const float* const lower = upper + next_row;
    const auto t = hn::Set(d, right[i]), u = hn::Set(d, down[i]);
    for (std::size_t k = 0; k < source.channels; k += kLanes) {
      const auto top = between(hn::LoadU(d, upper + k), hn::LoadU(d, upper + source.lanes + k), t);
      const auto bottom =
          between(hn::LoadU(d, lower + k), hn::LoadU(d, lower + source.lanes + k), t);
      hn::StoreU(between(top, bottom, u), d, out + k);  // what is too much, the next overwrites
    }
  }
}

void Blend(const Source& source, std::size_t n, const std::int32_t* offsets, const float* down,
           const float* right, float* out) {
  (source.lanes == 1 ? BlendGrey : BlendPixels)(source, n, offsets, down, right, out);
}

// Calls step(i) for whole vectors that cover [0, n), the last one over the end of the one before;
// what is shorter than a vector is left.
template <class Step>
bool for_vectors(std::size_t n, std::size_t lanes, const Step& step) {
  if (n < lanes) return n == 0;
  for (std::size_t i = 0; i + lanes <= n; i += lanes) step(i);
  if (n % lanes != 0) step(n - lanes);
  return true;
}

void RoundSamples(const float* in, std::size_t n, std::uint8_t* out) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  const hn::Rebind<std::uint8_t, Floats> bytes;
  const bool done = for_vectors(n, hn::Lanes(d), [&](std::size_t i) {
    const auto value = hn::Max(hn::Add(hn::LoadU(d, in + i), hn::Set(d, 0.5F)), hn::Zero(d));
    const auto whole = hn::ConvertTo(integers, hn::Min(value, hn::Set(d, 255.0F)));
    hn::StoreU(hn::DemoteTo(bytes, whole), bytes, out + i);
  });
  for (std::size_t i = 0; !done && i < n; ++i) {
    out[i] = static_cast<std::uint8_t>(std::clamp(in[i] + 0.5F, 0.0F, 255.0F));
  }
}

void WidenRow(const std::uint8_t* in, std::size_t n, float* out) {
  const Floats d;
  const hn::RebindToSigned<Floats> integers;
  const hn::Rebind<std::uint8_t, Floats> bytes;
  const bool done = for_vectors(n, hn::Lanes(d), [&](std::size_t i) {
    const auto whole = hn::PromoteTo(integers, hn::LoadU(bytes, in + i));
    hn::StoreU(hn::ConvertTo(d, whole), d, out + i);
  });
  for (std::size_t i = 0; !done && i < n; ++i) out[i] = in[i];
}

void Widen(const std::uint8_t* in, std::size_t pixels, std::size_t channels, std::size_t lanes,
           float* out) {
  if (lanes == channels) return WidenRow(in, pixels * channels, out);
  std::size_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  const hn::Rebind<std::int32_t, decltype(d)> integers;
  const hn::Rebind<std::uint8_t, decltype(d)> bytes;
  // The fourth byte is the next pixel's first, so the last pixel is left to the loop below.
  for (; lanes == 4 && i + 1 < pixels && channels == 3; ++i) {
    const auto whole = hn::PromoteTo(integers, hn::LoadU(bytes, in + 3 * i));
    hn::StoreU(hn::ConvertTo(d, whole), d, out + 4 * i);
  }
#endif
  for (; i < pixels; ++i) {
    for (std::size_t k = 0; k < lanes; ++k) {
      out[i * lanes + k] = k < channels ? in[i * channels + k] : 0.0F;
    }
  }
}

}  // namespace millrace::warp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::warp {

HWY_EXPORT(Locate);
HWY_EXPORT(Blend);
HWY_EXPORT(RoundSamples);
HWY_EXPORT(Widen);

void locate(const Row& row, std::size_t n, std::int32_t* offsets, float* down, float* right) {
  HWY_DYNAMIC_DISPATCH(Locate)(row, n, offsets, down, right);
}

void blend(const Source& source, std::size_t n, const std::int32_t* offsets, const float* down,
           const float* right, float* out) {
  HWY_DYNAMIC_DISPATCH(Blend)(source, n, offsets, down, right, out);
}

void round_samples(const float* in, std::size_t n, std::uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(RoundSamples)(in, n, out);
}

void widen(const std::uint8_t* in, std::size_t pixels, std::size_t channels, std::size_t lanes,
           float* out) {
  HWY_DYNAMIC_DISPATCH(Widen)(in, pixels, channels, lanes, out);
}

}  // namespace millrace::warp
#endif

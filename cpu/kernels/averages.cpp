#include <millrace/cpu/kernels/averages.h>

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/averages.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>
#include <millrace/cpu/kernels/lanes-inl.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// to += from * factor, for the channels of a pixel.
void AddPixel(std::int64_t channels, const float* from, float factor, float* to) {
  for_lanes(0, channels, [&](auto d, std::int64_t c) {
    const auto sum = hn::MulAdd(hn::LoadU(d, from + c), hn::Set(d, factor), hn::LoadU(d, to + c));
    hn::StoreU(sum, d, to + c);
  });
}

// Calls body(offset of a pixel, offset of what is made of its part, 1 / count) for each pixel of
// each part of an image, in elements.
template <class Body>
void for_pixels(const Averages& how, Body&& body) {
  std::int64_t out = 0;
  for (const nn::Stretch& rows : how.parts.rows) {
    for (const nn::Stretch& columns : how.parts.columns) {
      const float share = 1 / static_cast<float>(rows.count * columns.count);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        for (std::int64_t column = columns.begin; column < columns.end; ++column) {
          body((row * how.columns + column) * how.channels, out, share);
        }
      }
      out += how.channels;
    }
  }
}

// Of one image, and so is the one below.
void Average(const Averages& how, const float* x, float* y) {
  const auto parts = how.parts.rows.size() * how.parts.columns.size();
  std::fill_n(y, static_cast<std::int64_t>(parts) * how.channels, 0.0F);
  for_pixels(how, [&](std::int64_t in, std::int64_t out, float share) {
    AddPixel(how.channels, x + in, share, y + out);
  });
}

void AverageBackward(const Averages& how, const float* dy, float* dx) {
  std::fill_n(dx, how.rows * how.columns * how.channels, 0.0F);
  for_pixels(how, [&](std::int64_t in, std::int64_t out, float share) {
    AddPixel(how.channels, dy + out, share, dx + in);
  });
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

HWY_EXPORT(Average);
HWY_EXPORT(AverageBackward);

namespace {

/// Calls body(elements before the image, elements before what is made of it).
template <class Body>
void for_images(const Averages& how, Body&& body) {
  const std::int64_t pixels = how.rows * how.columns;
  const auto parts = static_cast<std::int64_t>(how.parts.rows.size() * how.parts.columns.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t image = 0; image < how.images; ++image) {
    body(image * pixels * how.channels, image * parts * how.channels);
  }
}

}  // namespace

void average(const Averages& how, const float* x, float* y) {
  for_images(how, [&](std::int64_t from, std::int64_t to) {
    HWY_DYNAMIC_DISPATCH(Average)(how, x + from, y + to);
  });
}

void average_backward(const Averages& how, const float* dy, float* dx) {
  for_images(how, [&](std::int64_t to, std::int64_t from) {
    HWY_DYNAMIC_DISPATCH(AverageBackward)(how, dy + from, dx + to);
  });
}

}  // namespace millrace::cpu
#endif

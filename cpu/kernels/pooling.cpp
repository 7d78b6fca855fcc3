#include <millrace/cpu/kernels/pooling.h>

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/pooling.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>
#include <millrace/cpu/kernels/lanes-inl.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(offset of the window's first pixel, offset of what is made of it), in elements.
template <class Body>
void for_windows(const Windows& w, Body&& body) {
  std::int64_t to = 0;
  for (std::int64_t y = 0; y + w.size <= w.rows; y += w.size) {
    std::int64_t from = y * w.columns * w.channels;
    for (std::int64_t x = 0; x + w.size <= w.columns; x += w.size) {
      body(from, to);
      from += w.size * w.channels;
      to += w.channels;
    }
  }
}

// Of one image, and so are those below.
void MaxPool(const Windows& w, const float* x, float* y, std::uint8_t* index) {
  const std::int64_t below = w.columns * w.channels;
  for_windows(w, [&](std::int64_t from, std::int64_t to) {
    for_lanes(0, w.channels, [&](auto d, std::int64_t c) {
      const hn::RebindToSigned<decltype(d)> numbers;
      const hn::Rebind<std::uint8_t, decltype(d)> bytes;
      auto most = hn::LoadU(d, x + from + c);
      auto which = hn::Zero(numbers);
      std::int32_t number = 0;
      for (std::int64_t row = 0; row < w.size; ++row) {
        for (std::int64_t column = 0; column < w.size; ++column, ++number) {
          const auto value = hn::LoadU(d, x + from + row * below + column * w.channels + c);
          const auto is_more = hn::Gt(value, most);
          most = hn::IfThenElse(is_more, value, most);
          which = hn::IfThenElse(hn::RebindMask(numbers, is_more), hn::Set(numbers, number), which);
        }
      }
      hn::StoreU(most, d, y + to + c);
      hn::StoreU(hn::DemoteTo(bytes, which), bytes, index + to + c);
    });
  });
}

// Pixels to the right of the last window and below it.
void clear_rest(const Windows& w, float* dx) {
  const std::int64_t row = w.columns * w.channels;
  const std::int64_t covered = w.columns / w.size * w.size * w.channels;
  for (std::int64_t y = 0; y < w.rows; ++y) {
    const std::int64_t kept = y < w.rows / w.size * w.size ? covered : 0;
    std::fill(dx + y * row + kept, dx + (y + 1) * row, 0.0F);
  }
}

void MaxPoolBackward(const Windows& w, const float* dy, const float* y, const std::uint8_t* index,
                     float* dx) {
  const std::int64_t below = w.columns * w.channels;
  if (w.rows % w.size != 0 || w.columns % w.size != 0) clear_rest(w, dx);
  for_windows(w, [&](std::int64_t to, std::int64_t from) {
    for_lanes(0, w.channels, [&](auto d, std::int64_t c) {
      const hn::RebindToSigned<decltype(d)> numbers;
      const hn::Rebind<std::uint8_t, decltype(d)> bytes;
      auto derivative = hn::LoadU(d, dy + from + c);
      if (y != nullptr) {
        const auto is_above = hn::Gt(hn::LoadU(d, y + from + c), hn::Zero(d));
        derivative = hn::IfThenElseZero(is_above, derivative);
      }
      const auto which = hn::PromoteTo(numbers, hn::LoadU(bytes, index + from + c));
      std::int32_t number = 0;
      for (std::int64_t row = 0; row < w.size; ++row) {
        for (std::int64_t column = 0; column < w.size; ++column, ++number) {
          const auto is_here = hn::RebindMask(d, hn::Eq(which, hn::Set(numbers, number)));
          hn::StoreU(hn::IfThenElseZero(is_here, derivative), d,
                     dx + to + row * below + column * w.channels + c);
        }
      }
    });
  });
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

HWY_EXPORT(MaxPool);
HWY_EXPORT(MaxPoolBackward);

namespace {

/// Calls body(elements before the image, elements before what is made of it). OpenMP's threads take
/// images; none needs another.
template <class Body>
void for_images(const Windows& w, Body&& body) {
  const std::int64_t pixels = w.rows * w.columns;
  const std::int64_t pooled = (w.rows / w.size) * (w.columns / w.size);
#pragma omp parallel for schedule(static)
  for (std::int64_t image = 0; image < w.images; ++image) {
    body(image * pixels * w.channels, image * pooled * w.channels);
  }
}

}  // namespace

void max_pool(const Windows& windows, const float* x, float* y, std::uint8_t* index) {
  for_images(windows, [&](std::int64_t from, std::int64_t to) {
    HWY_DYNAMIC_DISPATCH(MaxPool)(windows, x + from, y + to, index + to);
  });
}

void max_pool_backward(const Windows& windows, const float* dy, const float* y,
                       const std::uint8_t* index, float* dx) {
  for_images(windows, [&](std::int64_t to, std::int64_t from) {
    HWY_DYNAMIC_DISPATCH(MaxPoolBackward)
    (windows, dy + from, y == nullptr ? nullptr : y + from, index + from, dx + to);
  });
}

}  // namespace millrace::cpu
#endif

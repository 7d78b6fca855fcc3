#include <millrace/cpu/kernels/merging.h>

#include <millrace/cpu/kernels/pieces.h>

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/merging.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>
#include <millrace/cpu/kernels/lanes-inl.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void Add(std::int64_t begin, std::int64_t end, const float* a, const float* b, float ceiling,
         float* y) {
  const auto run = [&](auto&& finish) {
    for_lanes(begin, end, [&](auto d, std::int64_t i) {
      hn::StoreU(finish(d, hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i))), d, y + i);
    });
  };
  if (ceiling == kNoRectifier) return run([](auto, auto sum) { return sum; });
  run([ceiling](auto d, auto sum) { return rectified(d, sum, hn::Set(d, ceiling)); });
}

void AddBeforeRelu(std::int64_t begin, std::int64_t end, const float* a, const float* b,
                   const float* relu, float* y) {
  for_lanes(begin, end, [&](auto d, std::int64_t i) {
    const auto is_above = hn::Gt(hn::LoadU(d, relu + i), hn::Zero(d));
    const auto sum = hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i));
    hn::StoreU(hn::IfThenElseZero(is_above, sum), d, y + i);
  });
}

void Multiply(std::int64_t begin, std::int64_t end, const float* a, const float* b, float* y) {
  for_lanes(begin, end, [&](auto d, std::int64_t i) {
    hn::StoreU(hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, y + i);
  });
}

// Of the pixels of a run of channels that lie `stride` apart.
void MultiplyRun(std::int64_t pixels, std::int64_t channels, std::int64_t stride, const float* x,
                 const float* factors, float* y) {
  for (std::int64_t p = 0; p < pixels; ++p, x += stride, y += stride) {
    Multiply(0, channels, x, factors, y);
    std::fill(y + channels, y + stride, 0.0F);
  }
}

void SumRun(std::int64_t pixels, std::int64_t channels, std::int64_t stride, const float* a,
            const float* b, float* sums) {
  for_lanes(0, channels, [&](auto d, std::int64_t c) {
    auto sum = hn::Zero(d);
    for (std::int64_t p = 0; p < pixels; ++p) {
      sum = hn::MulAdd(hn::LoadU(d, a + p * stride + c), hn::LoadU(d, b + p * stride + c), sum);
    }
    hn::StoreU(sum, d, sums + c);
  });
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

HWY_EXPORT(Add);
HWY_EXPORT(AddBeforeRelu);
HWY_EXPORT(Multiply);
HWY_EXPORT(MultiplyRun);
HWY_EXPORT(SumRun);

namespace {

/// Calls body(first element in the image, first element in [samples][channels], channels) for each
/// block of channels of each sample.
template <class Body>
void for_blocks(const ChannelBlocks& image, Body&& body) {
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < image.samples; ++n) {
    for (std::int64_t c = 0; c < image.channels; c += image.block) {
      body(n * image.sample_stride() + c * image.pixels, n * image.channels + c,
           std::min(image.block, image.channels - c));
    }
  }
}

}  // namespace

void add(std::int64_t count, const float* a, const float* b, float ceiling, float* y) {
  in_pieces(count, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(Add)(begin, end, a, b, ceiling, y);
  });
}

void add_before_relu(std::int64_t count, const float* a, const float* b, const float* relu,
                     float* y) {
  in_pieces(count, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(AddBeforeRelu)(begin, end, a, b, relu, y);
  });
}

void multiply(std::int64_t count, const float* a, const float* b, float* y) {
  in_pieces(count, [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(Multiply)(begin, end, a, b, y);
  });
}

void multiply_channels(const ChannelBlocks& image, const float* x, const float* factors, float* y) {
  for_blocks(image, [&](std::int64_t at, std::int64_t factor, std::int64_t channels) {
    HWY_DYNAMIC_DISPATCH(MultiplyRun)
    (image.pixels, channels, image.block, x + at, factors + factor, y + at);
  });
}

void sum_channel_products(const ChannelBlocks& image, const float* a, const float* b, float* sums) {
  for_blocks(image, [&](std::int64_t at, std::int64_t sum, std::int64_t channels) {
    HWY_DYNAMIC_DISPATCH(SumRun)
    (image.pixels, channels, image.block, a + at, b + at, sums + sum);
  });
}

void join(const SideBySide& how, std::span<const float* const> parts, float* whole) {
  std::int64_t row_size = 0;
  for (const std::int64_t size : how.sizes) row_size += size;
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < how.rows; ++row) {
    float* to = whole + row * row_size;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      to = std::copy_n(parts[i] + row * how.sizes[i], how.sizes[i], to);
    }
  }
}

void split(const SideBySide& how, const float* whole, std::span<float* const> parts) {
  std::int64_t row_size = 0;
  for (const std::int64_t size : how.sizes) row_size += size;
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < how.rows; ++row) {
    const float* from = whole + row * row_size;
    for (std::size_t i = 0; i < parts.size(); from += how.sizes[i++]) {
      if (parts[i] != nullptr) std::copy_n(from, how.sizes[i], parts[i] + row * how.sizes[i]);
    }
  }
}

}  // namespace millrace::cpu
#endif

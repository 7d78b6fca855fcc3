#include <millrace/cpu/kernels/batch_norm.h>

#include <millrace/cpu/kernels/norm_strip.h>

#include <algorithm>
#include <array>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/batch_norm.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>
#include <millrace/cpu/kernels/lanes-inl.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The sum of term(offset of a pixel) over the pixels of a plane, in four sums beside each other:
// one would wait for itself.
template <class D, class Term>
HWY_INLINE hn::Vec<D> sum_pixels(D d, const NormStrip& s, Term&& term) {
  auto a = hn::Zero(d), b = a, c = a, e = a;
  std::int64_t p = 0;
  for (; p + 4 <= s.pixels; p += 4) {
    const std::int64_t at = p * s.stride;
    a = hn::Add(a, term(at));
    b = hn::Add(b, term(at + s.stride));
    c = hn::Add(c, term(at + 2 * s.stride));
    e = hn::Add(e, term(at + 3 * s.stride));
  }
  for (; p < s.pixels; ++p) a = hn::Add(a, term(p * s.stride));
  return hn::Add(hn::Add(a, b), hn::Add(c, e));
}

void FindStatistics(const NormStrip& s, const float* x, float* means, float* squares) {
  for_lanes(0, s.width, [&](auto d, std::int64_t c) {
    auto mean = hn::Zero(d), square = hn::Zero(d);
    const auto pixels = static_cast<float>(s.pixels);
    for (std::int64_t n = 0; n < s.rows; ++n) {
      const float* const plane = x + n * s.sample_stride + c;
      const auto sum = sum_pixels(d, s, [&](std::int64_t at) { return hn::LoadU(d, plane + at); });
      const auto own = hn::Mul(sum, hn::Set(d, 1 / pixels));
      const auto own_square = sum_pixels(d, s, [&](std::int64_t at) {
        const auto difference = hn::Sub(hn::LoadU(d, plane + at), own);
        return hn::Mul(difference, difference);
      });
      const auto before = static_cast<float>(n);
      const auto difference = hn::Sub(own, mean);
      mean = hn::MulAdd(difference, hn::Set(d, 1 / (before + 1)), mean);
      square = hn::Add(square, own_square);
      square = hn::MulAdd(hn::Mul(difference, difference),
                          hn::Set(d, pixels * before / (before + 1)), square);
    }
    hn::StoreU(mean, d, means + c);
    hn::StoreU(square, d, squares + c);
  });
}

template <bool kRelu, bool kAdds>
void Normalise(const NormStrip& s, const float* x, const StripConstants k, const float* other,
               float* y) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    const std::int64_t first = n * s.sample_stride;
    for_lanes(0, s.width, [&](auto d, std::int64_t c) {
      const auto mean = hn::LoadU(d, k.mean() + c), factor = hn::LoadU(d, k.factor() + c);
      const auto shift = hn::LoadU(d, k.shift() + c), ceiling = hn::Set(d, k.ceiling);
      std::int64_t at = first + c;
      if (n >= s.rows) {
        for (std::int64_t p = 0; p < s.pixels; ++p, at += s.stride) {
          hn::StoreU(hn::Zero(d), d, y + at);
        }
        return;
      }
      for (std::int64_t p = 0; p < s.pixels; ++p, at += s.stride) {
        auto value = hn::MulAdd(hn::Sub(hn::LoadU(d, x + at), mean), factor, shift);
        if constexpr (kAdds) value = hn::Add(value, hn::LoadU(d, other + at));
        if constexpr (kRelu) value = rectified(d, value, ceiling);
        hn::StoreU(value, d, y + at);
      }
    });
  }
}

void NormaliseAny(const NormStrip& s, const float* x, const StripConstants& k, const float* other,
                  float* y) {
  const auto run = k.ceiling > 0
                       ? (other != nullptr ? Normalise<true, true> : Normalise<true, false>)
                       : (other != nullptr ? Normalise<false, true> : Normalise<false, false>);
  run(s, x, k, other, y);
}

// dy, or zero where a rectifier has cut off what was normalised.
template <bool kRelu, class D, class V>
HWY_INLINE V masked(D d, V dy, V difference, V factor, V shift, V ceiling) {
  if constexpr (!kRelu) return dy;
  const V value = hn::MulAdd(difference, factor, shift);
  return hn::IfThenElseZero(hn::And(hn::Gt(value, hn::Zero(d)), hn::Lt(value, ceiling)), dy);
}

template <bool kRelu>
void GradientSums(const NormStrip& s, const float* x, const float* dy, const StripConstants k,
                  float* sums, float* products) {
  for_lanes(0, s.width, [&](auto d, std::int64_t c) {
    const auto mean = hn::LoadU(d, k.mean() + c), factor = hn::LoadU(d, k.factor() + c);
    const auto shift = hn::LoadU(d, k.shift() + c), ceiling = hn::Set(d, k.ceiling);
    auto sum = hn::Zero(d), product = sum;
    for (std::int64_t n = 0; n < s.rows; ++n) {
      std::int64_t at = n * s.sample_stride + c;
      auto sum0 = hn::Zero(d), sum1 = sum0, product0 = sum0, product1 = sum0;
      const auto add = [&](std::int64_t i, auto& to, auto& to_product) {
        const auto difference = hn::Sub(hn::LoadU(d, x + i), mean);
        const auto g = masked<kRelu>(d, hn::LoadU(d, dy + i), difference, factor, shift, ceiling);
        to = hn::Add(to, g);
        to_product = hn::MulAdd(g, difference, to_product);
      };
      std::int64_t p = 0;
      for (; p + 2 <= s.pixels; p += 2, at += 2 * s.stride) {
        add(at, sum0, product0);
        add(at + s.stride, sum1, product1);
      }
      if (p < s.pixels) add(at, sum0, product0);
      sum = hn::Add(sum, hn::Add(sum0, sum1));
      product = hn::Add(product, hn::Add(product0, product1));
    }
    hn::StoreU(sum, d, sums + c);
    hn::StoreU(hn::Mul(product, hn::LoadU(d, k.inverse() + c)), d, products + c);
  });
}

// dx = factor dy + slope (x - mean) + rest.
template <bool kRelu>
void NormaliseGradient(const NormStrip& s, const float* x, const float* dy, const StripConstants k,
                       const float* slopes, const float* rests, float* dx) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    const std::int64_t first = n * s.sample_stride;
    for_lanes(0, s.width, [&](auto d, std::int64_t c) {
      const auto mean = hn::LoadU(d, k.mean() + c), factor = hn::LoadU(d, k.factor() + c);
      const auto shift = hn::LoadU(d, k.shift() + c), ceiling = hn::Set(d, k.ceiling);
      const auto slope = hn::LoadU(d, slopes + c), rest = hn::LoadU(d, rests + c);
      std::int64_t at = first + c;
      if (n >= s.rows) {
        for (std::int64_t p = 0; p < s.pixels; ++p, at += s.stride) {
          hn::StoreU(hn::Zero(d), d, dx + at);
        }
        return;
      }
      for (std::int64_t p = 0; p < s.pixels; ++p, at += s.stride) {
        const auto difference = hn::Sub(hn::LoadU(d, x + at), mean);
        const auto g = masked<kRelu>(d, hn::LoadU(d, dy + at), difference, factor, shift, ceiling);
        hn::StoreU(hn::MulAdd(factor, g, hn::MulAdd(slope, difference, rest)), d, dx + at);
      }
    });
  }
}

void ScaleGradient(const NormStrip& s, const float* dy, const float* factors, float* dx) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    for_lanes(0, s.width, [&](auto d, std::int64_t c) {
      const auto factor = n < s.rows ? hn::LoadU(d, factors + c) : hn::Zero(d);
      std::int64_t at = n * s.sample_stride + c;
      for (std::int64_t p = 0; p < s.pixels; ++p, at += s.stride) {
        hn::StoreU(hn::Mul(hn::LoadU(d, dy + at), factor), d, dx + at);
      }
    });
  }
}

void GradientSumsAny(const NormStrip& s, const float* x, const float* dy, const StripConstants& k,
                     float* sums, float* products) {
  (k.ceiling > 0 ? GradientSums<true> : GradientSums<false>)(s, x, dy, k, sums, products);
}

void NormaliseGradientAny(const NormStrip& s, const float* x, const float* dy,
                          const StripConstants& k, const float* slopes, const float* rests,
                          float* dx) {
  (k.ceiling > 0 ? NormaliseGradient<true> : NormaliseGradient<false>)(s, x, dy, k, slopes, rests,
                                                                       dx);
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

HWY_EXPORT(FindStatistics);
HWY_EXPORT(NormaliseAny);
HWY_EXPORT(GradientSumsAny);
HWY_EXPORT(NormaliseGradientAny);
HWY_EXPORT(ScaleGradient);

namespace {

/// Calls body(strip, its first element in the image, its first channel) for strips that OpenMP's
/// threads take.
template <class Body>
void for_strips(const NormRows& rows, Body&& body) {
  const ChannelBlocks& image = rows.image;
  const std::int64_t width = std::min<std::int64_t>(image.block, kWidestStrip);
  const std::int64_t padded = rows.padded();
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < padded; c += width) {
    const std::int64_t in_block = c % image.block;
    const NormStrip strip{.rows = rows.rows,
                          .samples = image.samples,
                          .pixels = image.pixels,
                          .width = std::min(width, image.block - in_block),
                          .stride = image.block,
                          .sample_stride = image.sample_stride()};
    body(strip, (c - in_block) * image.pixels + in_block, c);
  }
}

}  // namespace

void find_statistics(const NormRows& rows, const float* x, float* statistics) {
  const std::int64_t padded = rows.padded();
  for_strips(rows, [&](const NormStrip& strip, std::int64_t first, std::int64_t channel) {
    HWY_DYNAMIC_DISPATCH(FindStatistics)
    (strip, x + first, statistics + channel, statistics + padded + channel);
  });
  statistics[2 * padded] = static_cast<float>(rows.rows * rows.image.pixels);
}

void normalise(const NormRows& rows, const float* x, const float* constants, const AfterNorm& after,
               float* y) {
  for_strips(rows, [&](const NormStrip& strip, std::int64_t first, std::int64_t channel) {
    const float* const other = after.other != nullptr ? after.other + first : nullptr;
    HWY_DYNAMIC_DISPATCH(NormaliseAny)
    (strip, x + first, {constants + channel, rows.padded(), after.ceiling}, other, y + first);
  });
}

void find_gradient_sums(const NormRows& rows, const float* x, const float* dy,
                        const float* constants, float ceiling, float* sums) {
  const std::int64_t padded = rows.padded();
  for_strips(rows, [&](const NormStrip& strip, std::int64_t first, std::int64_t channel) {
    HWY_DYNAMIC_DISPATCH(GradientSumsAny)
    (strip, x + first, dy + first, {constants + channel, padded, ceiling}, sums + channel,
     sums + padded + channel);
  });
}

void normalise_gradient(const NormRows& rows, const float* x, const float* dy,
                        const float* constants, std::span<const float> sums, std::int64_t count,
                        float ceiling, float* dx) {
  const std::int64_t padded = rows.padded();
  for_strips(rows, [&](const NormStrip& strip, std::int64_t first, std::int64_t channel) {
    std::array<float, kWidestStrip> slopes{}, rests{};
    for (std::int64_t c = channel; c < channel + strip.width; ++c) {
      double sum = 0, product = 0;
      for (std::size_t at = 0; at < sums.size(); at += 2 * static_cast<std::size_t>(padded)) {
        sum += double{sums[at + static_cast<std::size_t>(c)]};
        product += double{sums[at + static_cast<std::size_t>(padded + c)]};
      }
      const double factor = double{constants[2 * padded + c]};
      const double inverse = double{constants[padded + c]};
      const auto i = static_cast<std::size_t>(c - channel);
      slopes[i] = static_cast<float>(-factor * inverse * product / static_cast<double>(count));
      rests[i] = static_cast<float>(-factor * sum / static_cast<double>(count));
    }
    HWY_DYNAMIC_DISPATCH(NormaliseGradientAny)
    (strip, x + first, dy + first, {constants + channel, padded, ceiling}, slopes.data(),
     rests.data(), dx + first);
  });
}

void scale_gradient(const NormRows& rows, const float* dy, const float* constants, float* dx) {
  const float* const factors = constants + 2 * rows.padded();
  for_strips(rows, [&](const NormStrip& strip, std::int64_t first, std::int64_t channel) {
    HWY_DYNAMIC_DISPATCH(ScaleGradient)(strip, dy + first, factors + channel, dx + first);
  });
}

}  // namespace millrace::cpu
#endif

// The transforms of Winograd's algorithm, for each instruction set that Highway chooses from.
// Included by sources that it compiles several times, so this is no header that is included once.

#if defined(MILLRACE_CPU_KERNELS_WINOGRAD_TRANSFORMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILLRACE_CPU_KERNELS_WINOGRAD_TRANSFORMS_INL_H
#undef MILLRACE_CPU_KERNELS_WINOGRAD_TRANSFORMS_INL_H
#else
#define MILLRACE_CPU_KERNELS_WINOGRAD_TRANSFORMS_INL_H
#endif

#include <hwy/highway.h>
#include <millrace/cpu/kernels/winograd_plan.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, kBlock>;
using Vec = hn::Vec<Tag>;

HWY_INLINE Vec value(double x) {
  return hn::Set(Tag(), static_cast<float>(x));
}
HWY_INLINE Vec add_product(double k, Vec x, Vec y) {
  return hn::MulAdd(value(k), x, y);
}

// The transposed B of the paper, for the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity, whose
// small powers keep rounding low. The polynomials at p and -p share their even and odd halves,
// which saves half of the multiplications.
HWY_INLINE void transform_from(const Vec (&x)[kPoints], Vec (&y)[kPoints]) {
  y[0] = add_product(5.25, x[4] - x[2], x[0] - x[6]);
  y[7] = add_product(5.25, x[3] - x[5], x[7] - x[1]);
  const Vec even1 = add_product(-4.25, x[4], x[2] + x[6]);
  const Vec odd1 = add_product(-4.25, x[3], x[1] + x[5]);
  y[1] = even1 + odd1;
  y[2] = even1 - odd1;
  const Vec even2 = add_product(0.25, x[2], add_product(-1.25, x[4], x[6]));
  const Vec odd2 = add_product(0.5, x[1], add_product(-2.5, x[3], x[5] + x[5]));
  y[3] = even2 + odd2;
  y[4] = even2 - odd2;
  const Vec even3 = add_product(4, x[2], add_product(-5, x[4], x[6]));
  const Vec odd3 = add_product(0.5, x[5], add_product(-2.5, x[3], x[1] + x[1]));
  y[5] = even3 + odd3;
  y[6] = even3 - odd3;
}

// The transposed A, with sums and differences of the pairs p and -p.
HWY_INLINE void transform_to(const Vec (&m)[kPoints], Vec (&y)[kTile]) {
  const Vec s1 = m[1] + m[2], d1 = m[1] - m[2];
  const Vec s2 = m[3] + m[4], d2 = m[3] - m[4];
  const Vec s3 = m[5] + m[6], d3 = m[5] - m[6];
  y[0] = m[0] + s1 + s2 + s3;
  y[1] = add_product(2, d2, add_product(0.5, d3, d1));
  y[2] = add_product(4, s2, add_product(0.25, s3, s1));
  y[3] = add_product(8, d2, add_product(0.125, d3, d1));
  y[4] = add_product(16, s2, add_product(1.0 / 16, s3, s1));
  y[5] = add_product(32, d2, add_product(1.0 / 32, d3, d1)) + m[7];
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

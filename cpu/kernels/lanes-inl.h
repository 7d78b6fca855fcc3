// Loops over neighbouring floats, for each instruction set that Highway chooses from. Included by
// sources that it compiles several times, so this is no header that is included once.

#if defined(MILLRACE_CPU_KERNELS_LANES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILLRACE_CPU_KERNELS_LANES_INL_H
#undef MILLRACE_CPU_KERNELS_LANES_INL_H
#else
#define MILLRACE_CPU_KERNELS_LANES_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {

// Calls body(tag, i) for as many lanes at a time as there are, then for one: over [begin, end).
template <class Body>
HWY_INLINE void for_lanes(std::int64_t begin, std::int64_t end, Body&& body) {
  const hwy::HWY_NAMESPACE::ScalableTag<float> wide;
  const auto lanes = static_cast<std::int64_t>(hwy::HWY_NAMESPACE::Lanes(wide));
  std::int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(wide, i);
  for (; i < end; ++i) body(hwy::HWY_NAMESPACE::CappedTag<float, 1>(), i);
}

// A rectifier, see rectifier.h; what is not a number stays.
template <class D, class V>
HWY_INLINE V rectified(D d, V value, V ceiling) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V bounded = hn::IfThenElse(hn::Gt(value, ceiling), ceiling, value);
  return hn::IfThenElseZero(hn::Not(hn::Lt(value, hn::Zero(d))), bounded);
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif

#pragma once
// Elements in memory and the float32 in which all arithmetic is done, for host and device. The
// 16-bit types round to nearest even as core/half.h does; only the payload of a NaN may differ.

#include <millrace/core/half.h>
#include <millrace/core/host_device.h>
#include <millrace/core/shape.h>

#include <cstdint>
#include <type_traits>

namespace millrace::gpu {

/// Storage types: bits and no arithmetic. float stands for itself.
struct F16 {
  std::uint16_t bits;
};
struct BF16 {
  std::uint16_t bits;
};

MILLRACE_HOST_DEVICE inline float load(const float* at) {
  return *at;
}
MILLRACE_HOST_DEVICE inline float load(const std::uint8_t* at) {
  return static_cast<float>(*at);
}
MILLRACE_HOST_DEVICE inline void store(float* at, float value) {
  *at = value;
}

MILLRACE_HOST_DEVICE inline float load(const F16* at) {
#ifdef __CUDA_ARCH__
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(at->bits));
  return value;
#else
  return float_from_f16(at->bits);
#endif
}
MILLRACE_HOST_DEVICE inline void store(F16* at, float value) {
#ifdef __CUDA_ARCH__
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(at->bits) : "f"(value));
#else
  at->bits = f16_from_float(value);
#endif
}

MILLRACE_HOST_DEVICE inline float load(const BF16* at) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(static_cast<std::uint32_t>(at->bits) << 16);
#else
  return float_from_bf16(at->bits);
#endif
}
MILLRACE_HOST_DEVICE inline void store(BF16* at, float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(at->bits) : "f"(value));
#elif defined(__CUDA_ARCH__)  // no instruction for it before Ampere
  const std::uint32_t bits = __float_as_uint(value);
  const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16) & 1U);
  at->bits = static_cast<std::uint16_t>(is_nan ? (bits >> 16) | 0x40U : rounded >> 16);
#else
  at->bits = bf16_from_float(value);
#endif
}

/// Calls body.template operator()<T>() with the C++ type of a storage type:
/// with_type(type, [&]<class T>() { return at.calls(Relu<T>{...}, count); }).
template <class Body>
auto with_type(DType type, Body&& body) {
  switch (type) {
    case DType::f32: return body.template operator()<float>();
    case DType::f16: return body.template operator()<F16>();
    case DType::bf16: return body.template operator()<BF16>();
    default:
      check_failed("is a storage type", __FILE__, __LINE__,
                   concat("activations are f32, f16 or bf16, not ", to_string(type)));
  }
}

}  // namespace millrace::gpu

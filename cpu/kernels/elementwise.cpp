#include <millrace/cpu/kernels/elementwise.h>

#include <millrace/cpu/kernels/pieces.h>
#include <millrace/nn/layers/kinds.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {

// The compiler makes vectors of these loops where a formula has no call in it. Formulas stand in
// headers, which are compiled without the instruction set that is chosen here.
template <class Kind>
void Forward(const Kind kind, std::int64_t begin, std::int64_t end, const float* x, float* y) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) y[i] = kind.value(x[i]);
}

template <class Kind>
void Backward(const Kind kind, std::int64_t begin, std::int64_t end, const float* dy,
              const float* read, float* dx) {
#pragma omp simd
  for (std::int64_t i = begin; i < end; ++i) dx[i] = kind.gradient(dy[i], read[i]);
}

// A function a kind, because a table of Highway's has functions and no templates.
#define MILLRACE_ELEMENTWISE_LOOPS(Kind)                                                           \
  void Kind##Forward(const nn::Kind& kind, std::int64_t begin, std::int64_t end, const float* x,   \
                     float* y) {                                                                   \
    Forward(kind, begin, end, x, y);                                                               \
  }                                                                                                \
  void Kind##Backward(const nn::Kind& kind, std::int64_t begin, std::int64_t end, const float* dy, \
                      const float* read, float* dx) {                                              \
    Backward(kind, begin, end, dy, read, dx);                                                      \
  }
MILLRACE_ELEMENTWISE_KINDS(MILLRACE_ELEMENTWISE_LOOPS)
#undef MILLRACE_ELEMENTWISE_LOOPS

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

#define MILLRACE_ELEMENTWISE_CALLS(Kind)                                                         \
  HWY_EXPORT(Kind##Forward);                                                                     \
  HWY_EXPORT(Kind##Backward);                                                                    \
  template <>                                                                                    \
  void elementwise_forward(const nn::Kind& kind, std::int64_t count, const float* x, float* y) { \
    in_pieces(count, [&](std::int64_t begin, std::int64_t end) {                                 \
      HWY_DYNAMIC_DISPATCH(Kind##Forward)(kind, begin, end, x, y);                               \
    });                                                                                          \
  }                                                                                              \
  template <>                                                                                    \
  void elementwise_backward(const nn::Kind& kind, std::int64_t count, const float* dy,           \
                            const float* read, float* dx) {                                      \
    in_pieces(count, [&](std::int64_t begin, std::int64_t end) {                                 \
      HWY_DYNAMIC_DISPATCH(Kind##Backward)(kind, begin, end, dy, read, dx);                      \
    });                                                                                          \
  }
MILLRACE_ELEMENTWISE_KINDS(MILLRACE_ELEMENTWISE_CALLS)

}  // namespace millrace::cpu
#endif

#include <millrace/cpu/kernels/update.h>

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/update.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(tag, i) for as many lanes at a time as there are, then for one.
template <class Body>
void for_lanes(std::size_t count, Body&& body) {
  const hn::ScalableTag<float> wide;
  std::size_t i = 0;
  for (; i + hn::Lanes(wide) <= count; i += hn::Lanes(wide)) body(wide, i);
  for (; i < count; ++i) body(hn::CappedTag<float, 1>(), i);
}

// Whether the instruction set multiplies and adds with one rounding.
#if HWY_ARCH_X86
inline constexpr bool kFuses = HWY_TARGET <= HWY_AVX2;  // better ones have smaller numbers
#else
inline constexpr bool kFuses = HWY_ARCH_ARM_A64 != 0;
#endif
using Math = std::conditional_t<kFuses, nn::FusedMath, nn::PlainMath>;

// For what is left behind the last whole vector, which has always rounded a product before
// something is subtracted from it: runs of earlier versions go on to the bit.
struct TailMath : Math {
  template <class Real>
  static Real multiply_subtract(Real a, Real b, Real c) {
    return nn::PlainMath::multiply_subtract(a, b, c);
  }
};

template <class Rule, class M, std::size_t... S>
inline void update_one(const typename Rule::template Fixed<float>& fixed,
                       const typename Rule::template Step<float>& step, std::size_t i,
                       float* weights, const float* gradients,
                       const std::array<float*, sizeof...(S)>& states,
                       std::index_sequence<S...> /*states*/) {
  float weight = weights[i];
  std::array<float, sizeof...(S)> now{states[S][i]...};
  Rule::template apply<M, float>(fixed, step, gradients[i], weight, now[S]...);
  weights[i] = weight;
  ((states[S][i] = now[S]), ...);
}

// The compiler makes vectors of this loop. A rule stands in a header, which is compiled without the
// instruction set that is chosen here, so no vector of Highway's can go through it.
template <class Rule>
void Run(const typename Rule::template Fixed<float> fixed,
         const typename Rule::template Step<float> step, std::size_t count, float* weights,
         const float* gradients, const std::array<float*, Rule::kStates> states) {
  constexpr std::make_index_sequence<Rule::kStates> kEach;
  const std::size_t whole = count - count % hn::Lanes(hn::ScalableTag<float>());
#pragma omp simd
  for (std::size_t i = 0; i < whole; ++i) {
    update_one<Rule, Math>(fixed, step, i, weights, gradients, states, kEach);
  }
  for (std::size_t i = whole; i < count; ++i) {
    update_one<Rule, TailMath>(fixed, step, i, weights, gradients, states, kEach);
  }
}

void Update(const nn::OptimizerOptions& optimizer, const nn::UpdateConstants& constants,
            std::span<float> weights, std::span<const float> gradients,
            std::span<const std::span<float>, nn::kMostStates> states) {
  nn::with_optimizer(optimizer.kind, optimizer.momentum, [&]<class Optimizer>() {
    using Rule = typename Optimizer::Rule;
    std::array<float*, Rule::kStates> data{};
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = states[i].data();
    Run<Rule>(constants.fixed.get<Rule::template Fixed>(),
              constants.step.get<Rule::template Step>(), weights.size(), weights.data(),
              gradients.data(), data);
  });
}

void Add(std::size_t count, float* sum, const float* other) {
  for_lanes(count, [&](auto d, std::size_t i) {
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, other + i)), d, sum + i);
  });
}

void TakeAverages(std::size_t count, float share, const float* weights, float* averages) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) {
    averages[i] = nn::averaged<Math>(averages[i], weights[i], share);
  }
}

void Mask(std::size_t count, float* values, const float* masks) {
  for_lanes(count, [&](auto d, std::size_t i) {
    const auto product = hn::Mul(hn::LoadU(d, values + i), hn::LoadU(d, masks + i));
    hn::StoreU(hn::Add(product, hn::Zero(d)), d, values + i);
  });
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

HWY_EXPORT(Update);
HWY_EXPORT(Add);
HWY_EXPORT(TakeAverages);
HWY_EXPORT(Mask);

void update_weights(const nn::OptimizerOptions& optimizer, const nn::UpdateConstants& constants,
                    std::span<float> weights, std::span<const float> gradients,
                    std::span<const std::span<float>, nn::kMostStates> states) {
  // Rules of a program's own were compiled with the program, for no instruction set of Highway's.
  if (!nn::is_of_library(optimizer.kind)) {
    return nn::update_floats(optimizer, constants, weights, gradients, states);
  }
  HWY_DYNAMIC_DISPATCH(Update)(optimizer, constants, weights, gradients, states);
}

void add(std::span<float> sum, std::span<const float> other) {
  HWY_DYNAMIC_DISPATCH(Add)(sum.size(), sum.data(), other.data());
}

void take_averages(std::span<float> averages, std::span<const float> weights, float share) {
  HWY_DYNAMIC_DISPATCH(TakeAverages)(averages.size(), share, weights.data(), averages.data());
}

void apply_masks(std::span<float> values, std::span<const float> masks) {
  HWY_DYNAMIC_DISPATCH(Mask)(values.size(), values.data(), masks.data());
}

}  // namespace millrace::cpu
#endif

#include <millrace/cpu/kernels/update.h>

#include <cstddef>

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

template <class D>
hn::Vec<D> set(D d, double value) {
  return hn::Set(d, static_cast<float>(value));
}

void Plain(const nn::UpdateConstants& c, std::size_t count, float* w, const float* gradients) {
  for_lanes(count, [&](auto d, std::size_t i) {
    const auto weight = hn::LoadU(d, w + i);
    const auto g = hn::MulAdd(set(d, c.decay), weight, hn::LoadU(d, gradients + i));
    hn::StoreU(hn::NegMulAdd(set(d, c.rate), g, weight), d, w + i);
  });
}

void Momentum(const nn::UpdateConstants& c, std::size_t count, float* w, const float* gradients,
              float* buffer) {
  for_lanes(count, [&](auto d, std::size_t i) {
    const auto weight = hn::LoadU(d, w + i);
    const auto g = hn::MulAdd(set(d, c.decay), weight, hn::LoadU(d, gradients + i));
    const auto b = hn::MulAdd(set(d, c.momentum), hn::LoadU(d, buffer + i), g);
    const auto step = hn::MulAdd(set(d, c.past), b, hn::Mul(set(d, c.own), g));
    hn::StoreU(b, d, buffer + i);
    hn::StoreU(hn::NegMulAdd(set(d, c.rate), step, weight), d, w + i);
  });
}

void Adam(const nn::UpdateConstants& c, std::size_t count, float* w, const float* gradients,
          float* first, float* second) {
  for_lanes(count, [&](auto d, std::size_t i) {
    const auto weight = hn::LoadU(d, w + i);
    const auto g = hn::MulAdd(set(d, c.decay), weight, hn::LoadU(d, gradients + i));
    const auto m =
        hn::MulAdd(set(d, c.beta1), hn::LoadU(d, first + i), hn::Mul(set(d, c.rest1), g));
    const auto v = hn::MulAdd(set(d, c.beta2), hn::LoadU(d, second + i),
                              hn::Mul(hn::Mul(set(d, c.rest2), g), g));
    const auto root = hn::MulAdd(set(d, c.root_scale), hn::Sqrt(v), set(d, c.epsilon));
    const auto step = hn::Div(hn::Mul(set(d, c.rate), m), root);
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    hn::StoreU(hn::Sub(hn::Mul(set(d, c.keep), weight), step), d, w + i);
  });
}

void Add(std::size_t count, float* sum, const float* other) {
  for_lanes(count, [&](auto d, std::size_t i) {
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, other + i)), d, sum + i);
  });
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

HWY_EXPORT(Plain);
HWY_EXPORT(Momentum);
HWY_EXPORT(Adam);
HWY_EXPORT(Add);
HWY_EXPORT(Mask);

void update_weights(const nn::UpdateConstants& constants, std::span<float> weights,
                    std::span<const float> gradients, std::span<float> first,
                    std::span<float> second) {
  const std::size_t count = weights.size();
  if (!second.empty()) {
    HWY_DYNAMIC_DISPATCH(Adam)
    (constants, count, weights.data(), gradients.data(), first.data(), second.data());
  } else if (!first.empty()) {
    HWY_DYNAMIC_DISPATCH(Momentum)
    (constants, count, weights.data(), gradients.data(), first.data());
  } else {
    HWY_DYNAMIC_DISPATCH(Plain)(constants, count, weights.data(), gradients.data());
  }
}

void add(std::span<float> sum, std::span<const float> other) {
  HWY_DYNAMIC_DISPATCH(Add)(sum.size(), sum.data(), other.data());
}

void apply_masks(std::span<float> values, std::span<const float> masks) {
  HWY_DYNAMIC_DISPATCH(Mask)(values.size(), values.data(), masks.data());
}

}  // namespace millrace::cpu
#endif

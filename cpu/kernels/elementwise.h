#pragma once
// Activations that oneDNN lacks or defines otherwise: loops made from a kind's two formulas,
// compiled for every instruction set and chosen at run time, for one thread or OpenMP's.

#include <cstdint>

namespace millrace::cpu {

/// y = value(x), of a kind in nn::MILLRACE_ELEMENTWISE_KINDS. y may be x.
template <class Kind>
void elementwise_forward(const Kind& kind, std::int64_t count, const float* x, float* y);

/// dx = gradient(dy, read), where `read` is what read_by_gradient() says. dx may be dy.
template <class Kind>
void elementwise_backward(const Kind& kind, std::int64_t count, const float* dy, const float* read,
                          float* dx);

}  // namespace millrace::cpu

#pragma once
// Activations with their gradients, and the bias that goes before them.

#include <millrace/gpu/kernels/plane.h>

#include <cstdint>

namespace millrace::gpu {

/// y = x + b[c], then max(y, 0) if `relu`. y may be x.
[[nodiscard]] Launch add_bias(Type type, const void* x, const void* bias, void* y,
                              const Plane& plane, bool relu);
/// The same for logits, which are float32 beside a bias of `type`.
[[nodiscard]] Launch add_bias_to_float(Type type, const float* x, const void* bias, float* y,
                                       const Plane& plane);
[[nodiscard]] Launch relu_forward(Type type, const void* x, void* y, std::int64_t elements);
/// dx = y > 0 ? dy : 0; dx may be dy.
[[nodiscard]] Launch relu_backward(Type type, const void* dy, const void* y, void* dx,
                                   std::int64_t elements);
/// Of a kind in nn::MILLRACE_ELEMENTWISE_KINDS: y = value(x), dx = gradient(dy, read), where `read`
/// is what read_by_gradient() says. y may be x, and dx may be dy.
template <class Kind>
[[nodiscard]] Launch elementwise_forward(const Kind& kind, Type type, const void* x, void* y,
                                         const Plane& plane);
template <class Kind>
[[nodiscard]] Launch elementwise_backward(const Kind& kind, Type type, const void* dy,
                                          const void* read, void* dx, const Plane& plane);
/// Over the channels that count. `from` and `to`: storage type or f32 (the model's output).
[[nodiscard]] Launch softmax_forward(Type from, Type to, const void* x, void* y,
                                     const Plane& plane);
[[nodiscard]] Launch softmax_backward(Type type, const void* dy, const void* y, void* dx,
                                      const Plane& plane);

}  // namespace millrace::gpu

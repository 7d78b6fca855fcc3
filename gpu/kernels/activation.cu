#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/activation.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/kernel.h>

namespace millrace::gpu {
namespace {

template <class From, class To>
Launch softmax_of(const void* x, void* y, const Plane& plane) {
  return launch_of("softmax",
                   Softmax<From, To>{static_cast<const From*>(x), static_cast<To*>(y),
                                     plane.channels, plane.stored},
                   plane.rows);
}

Launch softmax_launch(Type from, Type to, const void* x, void* y, const Plane& plane) {
  if (from == to) {
    return with_type(from, [&]<class T>() { return softmax_of<T, T>(x, y, plane); });
  }
  if (to == Type::f32) {
    return with_type(from, [&]<class T>() { return softmax_of<T, float>(x, y, plane); });
  }
  MILLRACE_CHECK(from == Type::f32, "softmax goes from or to f32 where types differ, not from ",
                 to_string(from), " to ", to_string(to));
  return with_type(to, [&]<class T>() { return softmax_of<float, T>(x, y, plane); });
}

}  // namespace

Launch add_bias(Type type, const void* x, const void* bias, void* y, const Plane& plane,
                bool relu) {
  check_plane("add_bias", type, plane);
  check_memory("add_bias", {x, bias, y});
  const std::size_t bytes = bytes_of(type, plane.elements());
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "add_bias",
                         AddBias<T, T>{static_cast<const T*>(x), static_cast<const T*>(bias),
                                       static_cast<T*>(y), plane.channels, plane.stored, relu},
                         plane.elements() / kChunk<T>);
                   })
      .reads(x, bytes)
      .reads(bias, bytes_of(type, plane.stored))
      .writes(y, bytes);
}

Launch add_bias_to_float(Type type, const float* x, const void* bias, float* y,
                         const Plane& plane) {
  check_plane("add_bias_to_float", type, plane);
  check_memory("add_bias_to_float", {x, bias, y});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("add_bias_to_float",
                                      AddBias<float, T>{x, static_cast<const T*>(bias), y,
                                                        plane.channels, plane.stored, false},
                                      plane.elements() / kChunk<T>);
                   })
      .reads(x, float_bytes(plane.elements()))
      .reads(bias, bytes_of(type, plane.stored))
      .writes(y, float_bytes(plane.elements()));
}

Launch relu_forward(Type type, const void* x, void* y, std::int64_t elements) {
  check_memory("relu", {x, y});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "relu", Relu<T>{static_cast<const T*>(x), static_cast<T*>(y), elements},
                         chunks_of(elements, kChunk<T>));
                   })
      .reads(x, bytes_of(type, elements))
      .writes(y, bytes_of(type, elements));
}

Launch relu_backward(Type type, const void* dy, const void* y, void* dx, std::int64_t elements) {
  check_memory("relu_backward", {dy, y, dx});
  const std::size_t bytes = bytes_of(type, elements);
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "relu_backward",
                         ReluGradient<T>{static_cast<const T*>(dy), static_cast<const T*>(y),
                                         static_cast<T*>(dx), elements},
                         chunks_of(elements, kChunk<T>));
                   })
      .reads(dy, bytes)
      .reads(y, bytes)
      .writes(dx, bytes);
}

Launch sigmoid_forward(Type type, const void* x, void* y, const Plane& plane) {
  check_plane("sigmoid", type, plane);
  check_memory("sigmoid", {x, y});
  const std::size_t bytes = bytes_of(type, plane.elements());
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("sigmoid",
                                      Sigmoid<T>{static_cast<const T*>(x), static_cast<T*>(y),
                                                 plane.channels, plane.stored},
                                      plane.elements() / kChunk<T>);
                   })
      .reads(x, bytes)
      .writes(y, bytes);
}

Launch sigmoid_backward(Type type, const void* dy, const void* y, void* dx, const Plane& plane) {
  check_plane("sigmoid_backward", type, plane);
  check_memory("sigmoid_backward", {dy, y, dx});
  const std::size_t bytes = bytes_of(type, plane.elements());
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "sigmoid_backward",
                         SigmoidGradient<T>{static_cast<const T*>(dy), static_cast<const T*>(y),
                                            static_cast<T*>(dx), plane.channels, plane.stored},
                         plane.elements() / kChunk<T>);
                   })
      .reads(dy, bytes)
      .reads(y, bytes)
      .writes(dx, bytes);
}

Launch softmax_forward(Type from, Type to, const void* x, void* y, const Plane& plane) {
  check_plane("softmax", from, plane);
  return softmax_launch(from, to, x, y, plane)
      .reads(x, bytes_of(from, plane.elements()))
      .writes(y, bytes_of(to, plane.elements()));
}

Launch softmax_backward(Type type, const void* dy, const void* y, void* dx, const Plane& plane) {
  check_plane("softmax_backward", type, plane);
  const std::size_t bytes = bytes_of(type, plane.elements());
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "softmax_backward",
                         SoftmaxGradient<T>{static_cast<const T*>(dy), static_cast<const T*>(y),
                                            static_cast<T*>(dx), plane.channels, plane.stored},
                         plane.rows);
                   })
      .reads(dy, bytes)
      .reads(y, bytes)
      .writes(dx, bytes);
}

}  // namespace millrace::gpu

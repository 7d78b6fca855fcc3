// Biases and activations, against float64.

#include <millrace/gpu/kernels/activation.h>

#include "gpu/reference_ops.h"
#include "kernel_memory.h"

namespace {

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
namespace reference = millrace::nn::reference;

TEST_CASE("A bias is added to each row, with a ReLU or without") {
  const Type type = any_type();
  const Plane plane = any_plane(type);
  const bool relu = GENERATE(false, true);
  KernelMemory memory;
  const Doubles x = noise(type, counting(plane), 1), b = noise(type, plane.channels, 2);
  Doubles want(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    want[i] = x[i] + b[i % b.size()];
    if (relu) want[i] = std::max(want[i], 0.0);
  }
  void* const bias = memory.put(type, Plane{1, plane.channels, plane.stored}, b);
  void* const y = memory.put(type, plane, x);
  memory.run(add_bias(type, y, bias, y, plane, relu));  // in place
  check_near(type, memory.get(type, y, plane), want);

  if (plane.stored % 8 != 0 || relu) return;
  auto* const logits = memory.take<float>(Type::f32, plane.elements());
  memory.run(add_bias_to_float(type, memory.put<float>(Type::f32, plane, x), bias, logits, plane));
  check_near(Type::f32, memory.get(Type::f32, logits, plane), want);
}

TEST_CASE("ReLU and its gradient, of any number of elements") {
  const Type type = any_type();
  const std::int64_t elements = GENERATE(1, 8, 29);
  KernelMemory memory;
  Doubles x = noise(type, elements, 1);
  x[0] = 0;
  Doubles want(x.size()), want_dx(x.size());
  const Doubles dy = noise(type, elements, 2);
  reference::forward<nn::Relu>(1, std::span<const double>(x), std::span(want));
  reference::backward<nn::Relu>(1, std::span<const double>(dy), std::span<const double>(want),
                                std::span(want_dx));
  void* const y = memory.take(type, elements);
  void* const dx = memory.take(type, elements);
  memory.run(relu_forward(type, memory.put(type, x), y, elements));
  memory.run(relu_backward(type, memory.put(type, dy), y, dx, elements));
  CHECK(memory.get(type, y, elements) == want);
  CHECK(memory.get(type, dx, elements) == want_dx);
}

TEST_CASE("A ReLU lets a NaN through") {
  KernelMemory memory;
  void* const x = memory.put(Type::f16, {NAN, 1});
  memory.run(relu_forward(Type::f16, x, x, 2));
  CHECK(std::isnan(memory.get(Type::f16, x, 1)[0]));
}

template <class Kind>
void check_elementwise(Type type, const Plane& plane) {
  INFO(Kind::kFacts.name);
  KernelMemory memory;
  Doubles x = noise(type, counting(plane), 1, -12, 12);
  for (std::size_t i = 0; i < x.size(); i += 5) x[i] = static_cast<double>(i % 4) * 3 - 3;  // kinks
  const Doubles dy = noise(type, counting(plane), 2);
  Doubles want(x.size());
  reference::forward<Kind>(1, std::span<const double>(x), std::span(want));
  void* const stored = memory.put(type, plane, x);
  void* const y = memory.take(type, plane.elements());
  memory.run(elementwise_forward(Kind{}, type, stored, y, plane));
  check_near(type, memory.get(type, y, plane), want);

  const Doubles read = Kind::kFromInput ? x : memory.get(type, y, plane);
  reference::backward<Kind>(1, std::span<const double>(dy), std::span<const double>(read),
                            std::span(want));
  void* const dx = memory.put(type, plane, dy);  // in place
  memory.run(elementwise_backward(Kind{}, type, dx, Kind::kFromInput ? stored : y, dx, plane));
  check_near(type, memory.get(type, dx, plane), want);

  x.assign(x.size(), NAN);
  memory.run(elementwise_forward(Kind{}, type, memory.put(type, plane, x), y, plane));
  CHECK(std::isnan(memory.get(type, y, plane)[0]));  // a diverged run must not look healthy
}

TEST_CASE("Every elementwise kind and its gradient, also at kinks and for a NaN") {
  const Type type = any_type();
  const Plane plane = any_plane(type);
#define MILLRACE_CHECK_ELEMENTWISE(Kind) check_elementwise<nn::Kind>(type, plane);
  MILLRACE_ELEMENTWISE_KINDS(MILLRACE_CHECK_ELEMENTWISE)
}

TEST_CASE("Softmax of large logits and its gradient, over the channels that count") {
  const Type type = any_type();
  const bool to_float = GENERATE(false, true);
  const Plane plane = any_plane(type);
  const Type out = to_float ? Type::f32 : type;
  KernelMemory memory;
  const Doubles x = noise(type, counting(plane), 1, 80, 120), dy = noise(type, counting(plane), 2);
  Doubles want(x.size());
  reference::forward<nn::Softmax>(plane.channels, std::span<const double>(x), std::span(want));
  void* const y = memory.take(out, plane.elements());
  memory.run(softmax_forward(type, out, memory.put(type, plane, x), y, plane));
  check_near(out, memory.get(out, y, plane), want);
  if (to_float) return;

  const Doubles p = memory.get(type, y, plane);
  reference::backward<nn::Softmax>(plane.channels, std::span<const double>(dy),
                                   std::span<const double>(p), std::span(want));
  void* const dx = memory.take(type, plane.elements());
  memory.run(softmax_backward(type, memory.put(type, plane, dy), y, dx, plane));
  check_near(type, memory.get(type, dx, plane), want);
}

TEST_CASE("A softmax of float32 logits can be of the storage type") {
  const Plane plane{2, 3, 8};
  KernelMemory memory;
  const Doubles x{0, 1, 2, -1, 0, 3};
  Doubles want(x.size());
  reference::forward<nn::Softmax>(3, std::span<const double>(x), std::span(want));
  void* const y = memory.take(Type::bf16, plane.elements());
  memory.run(softmax_forward(Type::f32, Type::bf16, memory.put(Type::f32, plane, x), y, plane));
  check_near(Type::bf16, memory.get(Type::bf16, y, plane), want);
  CHECK_THROWS_AS(softmax_forward(Type::f16, Type::bf16, y, y, plane), std::logic_error);
}

TEST_CASE("Memory, channels and types that a kernel cannot do are refused") {
  KernelMemory memory;
  auto* const x = memory.take<char>(256);
  CHECK_THROWS_AS(relu_forward(Type::f16, x + 2, x, 8), std::logic_error);
  CHECK_THROWS_AS(relu_forward(Type::u8, x, x, 8), std::logic_error);
  CHECK_THROWS_AS(add_bias(Type::f16, x, x, x, Plane{4, 3, 4}, false), std::logic_error);
  CHECK_THROWS_AS(add_bias(Type::f16, x, x, x, Plane{0, 3, 8}, false), std::logic_error);
  CHECK_THROWS_AS(elementwise_forward(nn::Sigmoid{}, Type::f32, x, x, Plane{4, 9, 8}),
                  std::logic_error);
}

}  // namespace

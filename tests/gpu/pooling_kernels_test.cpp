// Pooling against the loops of the reference engine, for windows that overlap, leave pixels out, or
// hang over the padding.

#include <millrace/gpu/kernels/pooling.h>

#include "kernel_memory.h"

#include "gpu/reference_ops.h"

namespace {

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
using nn::reference::In;
using nn::reference::Out;
using nn::reference::Pixels;
using nn::reference::Sliding;
namespace reference = millrace::nn::reference;

Pooling pooling(std::int64_t height, std::int64_t width, std::int64_t out_height,
                std::int64_t out_width, std::int64_t size, std::int64_t stride, std::int64_t top,
                std::int64_t left) {
  return {.samples = 5,
          .height = height,
          .width = width,
          .stored = 8,
          .out_height = out_height,
          .out_width = out_width,
          .size = size,
          .stride = stride,
          .top = top,
          .left = left};
}

/// Windows and steps that are not square, padding on every side but one.
Pooling rectangles() {
  Pooling size = pooling(7, 9, 4, 8, 2, 2, 1, 2);
  size.size = {2, 4};
  size.stride = {2, 1};
  size.right = 1;
  return size;
}
/// As ceil has them: the last windows end beyond the image and the padding behind it.
Pooling past_the_padding() {
  Pooling size = pooling(6, 8, 4, 5, 3, 2, 1, 1);
  size.bottom = 1;
  return size;
}

Pooling any_pooling(Type type) {
  Pooling size = GENERATE(pooling(6, 4, 3, 2, 2, 2, 0, 0),  // side by side
                          pooling(7, 5, 3, 2, 2, 2, 0, 0),  // the last row and column left out
                          pooling(7, 8, 3, 3, 3, 2, 0, 0),  // overlapping
                          pooling(7, 8, 4, 4, 3, 2, 1, 0),  // over padding on both sides
                          pooling(5, 5, 2, 2, 2, 3, 0, 0),  // with gaps
                          pooling(1, 3, 1, 3, 3, 1, 1, 1),  // wider than the image
                          pooling(4, 4, 4, 4, 16, 1, 7, 8), rectangles(), past_the_padding());
  if (type == Type::f32) size.stored = 4;
  return size;
}

Sliding sliding(const Pooling& size) {
  return {.samples = size.samples,
          .height = size.height,
          .width = size.width,
          .channels = size.stored,
          .out_height = size.out_height,
          .out_width = size.out_width,
          .filters = size.stored,
          .size = size.size,
          .stride = size.stride,
          .top = size.top,
          .left = size.left};
}

std::int64_t inputs(const Pooling& s) {
  return s.samples * s.height * s.width * s.stored;
}
std::int64_t outputs(const Pooling& s) {
  return s.samples * s.out_height * s.out_width * s.stored;
}

In in(const Doubles& values) {
  return std::span(values);
}
Out out(Doubles& values) {
  return std::span(values);
}

/// What each output is the sum divided by.
Doubles counts(const Pooling& s) {
  if (!s.count_padding) return reference::covered(sliding(s), outputs(s));
  Doubles result;
  for (std::int64_t i = 0; i < outputs(s); ++i) {
    const std::int64_t ox = i / s.stored % s.out_width,
                       oy = i / s.stored / s.out_width % s.out_height;
    std::int64_t count = 0;  // pixel by pixel, of image and padding
    for (std::int64_t row = 0; row < s.size.rows; ++row) {
      for (std::int64_t column = 0; column < s.size.columns; ++column) {
        count += oy * s.stride.rows - s.top + row < s.height + s.bottom &&
                 ox * s.stride.columns - s.left + column < s.width + s.right;
      }
    }
    result.push_back(static_cast<double>(count));
  }
  return result;
}

/// A few different values, so that maxima are shared.
Doubles ties(Type type, std::int64_t count) {
  Doubles values = noise(type, count, 1, -3, 3);
  for (double& value : values) value = std::floor(value);
  return values;
}

TEST_CASE("Max pooling gives the first maximum of a window its whole gradient") {
  const Type type = GENERATE(Type::f32, Type::f16, Type::bf16);
  const Pooling size = any_pooling(type);
  KernelMemory memory;
  const Doubles x = ties(type, inputs(size)), dy = noise(type, outputs(size), 2);
  Doubles want(dy.size()), winners(dy.size()), want_dx(x.size());
  reference::max_pool_forward(sliding(size), in(x), out(want), out(winners));
  reference::max_pool_backward(in(dy), in(winners), out(want_dx));

  void* const y = memory.take(type, outputs(size));
  auto* const places = memory.take<std::uint8_t>(Type::u8, outputs(size));
  void* const dx = memory.take(type, inputs(size));
  void* const source = memory.put(type, x);
  memory.run(max_pool_forward(type, source, y, places, size));
  memory.run(max_pool_backward(type, memory.put(type, dy), places, dx, size));
  CHECK(memory.get(type, y, outputs(size)) == want);
  check_near(type, memory.get(type, dx, inputs(size)), want_dx);

  void* const alone = memory.take(type, outputs(size));
  memory.run(max_pool_forward(type, source, alone, nullptr, size));
  CHECK(memory.get(type, alone, outputs(size)) == want);
}

TEST_CASE("A maximum of infinities or NaNs has a winner in its window") {
  const Pooling size{
      .samples = 1, .height = 2, .width = 2, .stored = 4, .out_height = 1, .out_width = 1};
  KernelMemory memory;
  const double low = -INFINITY;
  const Doubles x{low, 1, NAN, low, low, NAN, NAN, 2, low, 3, 4, 3, low, NAN, 5, 1};
  Doubles want(4), winners(4), want_dx(16);
  reference::max_pool_forward(sliding(size), in(x), out(want), out(winners));
  void* const y = memory.take(Type::f32, 4);
  auto* const places = memory.take<std::uint8_t>(Type::u8, 4);
  memory.run(max_pool_forward(Type::f32, memory.put(Type::f32, x), y, places, size));
  const Doubles got = memory.get(Type::f32, y, 4);
  for (std::size_t c = 0; c < 4; ++c) {
    CHECK((got[c] == want[c] || (std::isnan(got[c]) && std::isnan(want[c]))));
    CHECK(places[c] == static_cast<std::size_t>(winners[c]) / 4);
  }
}

TEST_CASE("Average pooling divides by the pixels under the window") {
  const Type type = GENERATE(Type::f32, Type::f16, Type::bf16);
  Pooling size = any_pooling(type);
  size.count_padding = GENERATE(false, true);
  KernelMemory memory;
  const Doubles x = noise(type, inputs(size), 1), dy = noise(type, outputs(size), 2);
  Doubles want(dy.size()), want_dx(x.size());
  const Doubles count = counts(size);
  reference::avg_pool_forward(sliding(size), count, in(x), out(want));
  reference::avg_pool_backward(sliding(size), count, in(dy), out(want_dx));
  void* const y = memory.take(type, outputs(size));
  void* const dx = memory.take(type, inputs(size));
  memory.run(avg_pool_forward(type, memory.put(type, x), y, size));
  memory.run(avg_pool_backward(type, memory.put(type, dy), dx, size));
  check_near(type, memory.get(type, y, outputs(size)), want);
  check_near(type, memory.get(type, dx, inputs(size)), want_dx);
}

TEST_CASE("Adaptive average pooling takes means of parts that may share pixels") {
  const Type type = GENERATE(Type::f32, Type::f16, Type::bf16);
  const auto [high, wide] = GENERATE(std::pair(3, 2), std::pair(7, 5), std::pair(9, 1));
  Pooling size = pooling(7, 6, high, wide, 1, 1, 0, 0);
  size.adaptive = true;
  if (type == Type::f32) size.stored = 4;
  const nn::AdaptiveAvgPool layer{.rows = high, .columns = wide};
  KernelMemory memory;
  Doubles x = noise(type, inputs(size), 1), dy = noise(type, outputs(size), 2);
  Doubles want(dy.size()), want_dx(x.size());
  reference::Call call{.samples = size.samples,
                       .inputs = {{size.height, size.width, size.stored}},
                       .output = {high, wide, size.stored},
                       .operands = {{nn::operand::x, x}, {nn::operand::y, want}}};
  layer.forward(call);
  call.operands = {{nn::operand::dy, dy}, {nn::operand::dx, want_dx}};
  layer.backward(call);
  void* const y = memory.take(type, outputs(size));
  void* const dx = memory.take(type, inputs(size));
  memory.run(avg_pool_forward(type, memory.put(type, x), y, size));
  memory.run(avg_pool_backward(type, memory.put(type, dy), dx, size));
  check_near(type, memory.get(type, y, outputs(size)), want);
  check_near(type, memory.get(type, dx, inputs(size)), want_dx);
}

TEST_CASE("Global average pooling and its gradient") {
  const Type type = GENERATE(Type::f32, Type::f16, Type::bf16);
  const std::int64_t samples = 5, pixels = GENERATE(1, 21), stored = GENERATE(8, 24);
  KernelMemory memory;
  const Doubles x = noise(type, samples * pixels * stored, 1),
                dy = noise(type, samples * stored, 2);
  Doubles want(dy.size()), want_dx(x.size());
  reference::global_avg_pool_forward(Pixels{samples, pixels, stored}, in(x), out(want));
  reference::global_avg_pool_backward(Pixels{samples, pixels, stored}, in(dy), out(want_dx));
  void* const y = memory.take(type, samples * stored);
  void* const dx = memory.take(type, samples * pixels * stored);
  memory.run(global_avg_pool_forward(type, memory.put(type, x), y, samples, pixels, stored));
  memory.run(global_avg_pool_backward(type, memory.put(type, dy), dx, samples, pixels, stored));
  check_near(type, memory.get(type, y, samples * stored), want);
  check_near(type, memory.get(type, dx, samples * pixels * stored), want_dx);
}

TEST_CASE("Windows that do not lie over the image, or have places beyond a byte, are refused") {
  KernelMemory memory;
  auto* const x = memory.take<std::uint8_t>(4096);
  CHECK_THROWS_AS(max_pool_forward(Type::f16, x, x, x, pooling(4, 4, 3, 2, 2, 2, 0, 0)),
                  std::logic_error);
  CHECK_THROWS_AS(max_pool_forward(Type::f16, x, x, x, pooling(4, 4, 2, 2, 2, 2, 2, 0)),
                  std::logic_error);
  CHECK_THROWS_AS(max_pool_forward(Type::f16, x, x, x, pooling(40, 40, 1, 1, 17, 17, 0, 0)),
                  std::logic_error);
}

}  // namespace

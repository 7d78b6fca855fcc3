// Convolutions of the recording device against float64 loops.

#include <string>

#include "gpu/host_bench.h"
#include "gpu/reference_ops.h"

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
namespace reference = millrace::nn::reference;

namespace {

/// nn keeps kernels as [filters][channels][rows][columns].
Doubles to_nn(const Convolution& c, const Doubles& w) {
  Doubles result(w.size());
  std::size_t from = 0;
  for (std::int64_t f = 0; f < c.filters; ++f) {
    for (std::int64_t at = 0; at < c.rows * c.columns; ++at) {
      for (std::int64_t channel = 0; channel < c.channels / c.groups; ++channel) {
        const std::int64_t kernel = f * (c.channels / c.groups) + channel;
        result[index(kernel * c.rows * c.columns + at)] = w[from++];
      }
    }
  }
  return result;
}

/// Odd in every direction: padding that differs on each side, a window that is not square.
Convolution odd_convolution(Precision precision) {
  return {.precision = precision,
          .batch = 3,
          .height = 9,
          .width = 12,
          .channels = 8,
          .out_height = 5,
          .out_width = 7,
          .filters = 24,
          .rows = 3,
          .columns = 2,
          .stride = 2,
          .top = 0,
          .left = 1,
          .bottom = 2,
          .right = 1};
}

void run(HostBench& bench, const Convolution& c, const Buffer& x, const Buffer& w, const Buffer& y,
         const Buffer& bias) {
  const auto plan = bench.device().plan(c, 1_MiB);
  REQUIRE(plan);
  const Buffer workspace = bench.device().allocate(plan->workspace(), "workspace");
  bench.device().run(bench.stream(), *plan,
                     {x.data(), w.data(), y.data(), bias.data(), workspace.data()});
}

struct Tensors {
  Tensors(HostBench& bench, const Convolution& c)
      : type(nn::storage_of(c.precision)),
        x(bench.random(type, c.batch * c.height * c.width * c.channels)),
        w(bench.random(type, c.filters * c.rows * c.columns * c.channels / c.groups)),
        y(bench.random(type, c.batch * c.out_height * c.out_width * c.filters)),
        bias(bench.random(type, c.filters)) {}
  DType type;
  Doubles x, w, y, bias;
};

Precision any_precision() {
  return GENERATE(Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16);
}

/// An odd one, whole, in groups, depthwise, or with a window of which pixels are left out.
Convolution any_convolution() {
  Convolution c = odd_convolution(any_precision());
  c.groups = GENERATE(1, 2, 8);
  if (GENERATE(false, true)) {
    c.stride = {1, 3};
    c.dilation = {3, 2};
    c.out_height = 5;
    c.out_width = 4;
  }
  return c;
}

}  // namespace

TEST_CASE("convolutions forward, with and without bias and ReLU, match the reference engine") {
  Convolution c = any_convolution();
  c.bias = GENERATE(false, true);
  c.relu = GENERATE(false, true);
  CAPTURE(to_string(c));
  HostBench bench;
  Tensors t(bench, c);
  const Buffer y = bench.room(t.type, std::ssize(t.y));
  run(bench, c, bench.put(t.type, t.x), bench.put(t.type, t.w), y, bench.put(t.type, t.bias));

  const Doubles w = to_nn(c, t.w);
  Doubles wanted(t.y.size());
  reference::conv2d_forward(
      reference::sliding(c), std::span<const double>(t.x), std::span<const double>(w),
      c.bias ? reference::In(std::span<const double>(t.bias)) : reference::In(), std::span(wanted),
      c.groups);
  if (c.relu) {
    for (double& value : wanted) value = value < 0 ? 0 : value;
  }
  CHECK(distance(bench.get(t.type, y), wanted) < tolerance(c.precision));
  CHECK(bench.device().violations().empty());
}

TEST_CASE("the data gradient of convolutions matches the reference engine") {
  Convolution c = any_convolution();
  c.pass = Convolution::Pass::backward_data;
  CAPTURE(to_string(c));
  HostBench bench;
  Tensors t(bench, c);
  const Buffer dx = bench.room(t.type, std::ssize(t.x));
  run(bench, c, dx, bench.put(t.type, t.w), bench.put(t.type, t.y), {});

  const Doubles w = to_nn(c, t.w);
  Doubles wanted(t.x.size());
  reference::conv2d_backward_data(reference::sliding(c), std::span<const double>(t.y),
                                  std::span<const double>(w), std::span(wanted), c.groups);
  CHECK(distance(bench.get(t.type, dx), wanted) < tolerance(c.precision));
}

TEST_CASE("the weight gradient of convolutions matches the reference engine") {
  Convolution c = any_convolution();
  c.pass = Convolution::Pass::backward_weights;
  CAPTURE(to_string(c));
  HostBench bench;
  Tensors t(bench, c);
  const Buffer dw = bench.room(t.type, std::ssize(t.w));
  run(bench, c, bench.put(t.type, t.x), dw, bench.put(t.type, t.y), {});

  Doubles wanted(t.w.size());
  reference::conv2d_backward_parameters(reference::sliding(c), std::span<const double>(t.x),
                                        std::span<const double>(t.y), std::span(wanted), {},
                                        c.groups);
  CHECK(distance(to_nn(c, bench.get(t.type, dw)), wanted) < tolerance(c.precision));
}

// Convolutions of a device against float64.

#include "catch.h"

#include "gpu/device_bench.h"
#include "gpu/reference_ops.h"

#include <algorithm>

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
using Pass = Convolution::Pass;

namespace {

struct Sizes {
  std::int64_t batch, height, width, channels, filters, window, stride;
  std::int64_t top, left, bottom, right;
  std::int64_t groups = 1, dilation = 1;
};

Convolution convolution(Pass pass, nn::Precision precision, const Sizes& s) {
  Convolution c;
  c.pass = pass;
  c.precision = precision;
  c.batch = s.batch;
  c.height = s.height;
  c.width = s.width;
  c.channels = s.channels;
  c.filters = s.filters;
  c.rows = c.columns = s.window;
  c.stride = s.stride;
  c.top = s.top;
  c.left = s.left;
  c.bottom = s.bottom;
  c.right = s.right;
  c.groups = s.groups;
  c.dilation = s.dilation;
  const std::int64_t reach = (s.window - 1) * s.dilation + 1;
  c.out_height = (s.height + s.top + s.bottom - reach) / s.stride + 1;
  c.out_width = (s.width + s.left + s.right - reach) / s.stride + 1;
  return c;
}

// The reference's kernels are [filters][channels][rows][columns], a device's have the channels
// last.
Numbers channels_first(const Convolution& c, const Numbers& w) {
  const std::int64_t window = c.rows * c.columns, channels = c.channels / c.groups;
  Numbers result(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t channel = at % channels;
    const std::int64_t place = at / channels % window;
    const std::int64_t filter = at / channels / window;
    result[static_cast<std::size_t>((filter * channels + channel) * window + place)] = w[i];
  }
  return result;
}

class Convolutions {
 public:
  explicit Convolutions(std::shared_ptr<Device> device) : bench_{std::move(device)} {}

  void check(const Convolution& c) {
    INFO(to_string(c));
    const auto plan = bench_.device->plan(c, kWorkspace);
    if (!plan) {
      CHECK_FALSE((!(c.bias || c.relu) || has_all_fusions()));
      WARN("no plan for " << to_string(c));
      return;
    }
    CHECK(plan->operation() == c);
    CHECK(plan->workspace() <= kWorkspace);
    const DType type = nn::storage_of(c.precision);
    Numbers x = random_numbers(type, c.batch * c.height * c.width * c.channels, 1);
    Numbers w = random_numbers(type, c.filters * c.rows * c.columns * c.channels / c.groups, 2);
    Numbers y = random_numbers(type, c.batch * c.out_height * c.out_width * c.filters, 3);
    const Numbers bias = random_numbers(type, c.filters, 4);
    Numbers& written = c.pass == Pass::forward ? y : c.pass == Pass::backward_data ? x : w;
    const auto buffer = [&](const Numbers& numbers) {
      return &numbers == &written ? bench_.poisoned(numbers.size() * size_of(type))
                                  : bench_.upload(type, numbers);
    };
    const Buffer device_x = buffer(x);
    const Buffer device_w = buffer(w);
    const Buffer device_y = buffer(y);
    const Buffer device_bias = bench_.upload(type, bias);
    const Buffer workspace = bench_.poisoned(plan->workspace().count);
    const ConvolutionMemory memory{device_x.data(), device_w.data(), device_y.data(),
                                   c.bias ? device_bias.data() : nullptr, workspace.data()};
    const Buffer& result = c.pass == Pass::forward         ? device_y
                           : c.pass == Pass::backward_data ? device_x
                                                           : device_w;
    bench_.device->run(*bench_.stream, *plan, memory);
    const Raw once = bench_.download(result);
    bench_.device->run(*bench_.stream, *plan, memory);
    CHECK(bench_.download(result) == once);  // deterministic

    Numbers got = decode(type, once);
    if (c.pass == Pass::backward_weights) got = channels_first(c, got);
    w = channels_first(c, w);
    reference(c, x, w, y, bias);
    CHECK(relative_error(got, written) < tolerance(c.precision));
  }

 private:
  static constexpr Bytes kWorkspace{std::uint64_t{64} << 20};

  static void reference(const Convolution& c, Numbers& x, Numbers& w, Numbers& y,
                        const Numbers& bias) {
    using nn::reference::In;
    using nn::reference::Out;
    const In no_bias;
    const auto in = [](const Numbers& numbers) { return In(std::span(numbers)); };
    const auto out = [](Numbers& numbers) { return Out(std::span(numbers)); };
    switch (c.pass) {
      case Pass::forward:
        nn::reference::conv2d_forward(nn::reference::sliding(c), in(x), in(w),
                                      c.bias ? in(bias) : no_bias, out(y), c.groups);
        if (c.relu) {
          for (double& value : y) value = std::max(value, 0.0);
        }
        break;
      case Pass::backward_data:
        nn::reference::conv2d_backward_data(nn::reference::sliding(c), in(y), in(w), out(x),
                                            c.groups);
        break;
      case Pass::backward_weights:
        nn::reference::conv2d_backward_parameters(nn::reference::sliding(c), in(x), in(y), out(w),
                                                  Out(), c.groups);
        break;
    }
  }

  Bench bench_;
};

constexpr Sizes kSizes[] = {
    {2, 9, 7, 8, 16, 3, 1, 0, 0, 0, 0},   // valid
    {2, 8, 8, 16, 24, 3, 1, 1, 1, 1, 1},  // same
    {1, 10, 10, 8, 8, 3, 2, 0, 0, 1, 1},  // Keras's same with stride 2: more behind than before
    {2, 6, 6, 32, 16, 1, 1, 0, 0, 0, 0},  // one by one
    {1, 12, 12, 8, 32, 5, 2, 2, 2, 2, 2},
    {2, 9, 8, 16, 16, 3, 1, 1, 1, 1, 1, 16},    // depthwise
    {2, 9, 8, 16, 16, 3, 2, 0, 0, 1, 1, 16},    // the same, Keras's same with stride 2
    {1, 8, 8, 32, 16, 3, 1, 1, 1, 1, 1, 2},     // in groups
    {1, 11, 9, 16, 8, 3, 1, 2, 2, 2, 2, 1, 2},  // dilated
};

}  // namespace

TEST_CASE("Convolutions of a device equal those of float64 in all passes") {
  const auto device = device_under_test();
  if (!device) return;
  const std::uint64_t before = launches();
  Convolutions convolutions(device);
  for (const nn::Precision precision : kPrecisions) {
    for (const Sizes& sizes : kSizes) {
      for (const Pass pass : {Pass::forward, Pass::backward_data, Pass::backward_weights}) {
        convolutions.check(convolution(pass, precision, sizes));
      }
    }
  }
  CHECK(launches() > before);
}

TEST_CASE("Convolutions of a device add a bias and cut off below zero before they round") {
  const auto device = device_under_test();
  if (!device) return;
  Convolutions convolutions(device);
  for (const nn::Precision precision : kPrecisions) {
    for (const Sizes& sizes : kSizes) {
      Convolution c = convolution(Pass::forward, precision, sizes);
      c.bias = true;
      convolutions.check(c);
      c.relu = true;
      convolutions.check(c);
    }
  }
}

// Layer normalisation, factors of channels, whole samples left out, and images of another size,
// against the float64 loops of nn's layers.

#include <millrace/gpu/kernels/batch_norm.h>
#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/kernels/dropout.h>
#include <millrace/gpu/kernels/layer_norm.h>
#include <millrace/gpu/kernels/resizing.h>
#include <millrace/gpu/kernels/scale.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/call.h>

#include "kernel_memory.h"

#include <numeric>
#include <tuple>
#include <utility>

namespace {

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
namespace operand = nn::operand;

constexpr std::int64_t kSamples = 5;

/// A pass of a layer over images in float64.
struct Reference {
  std::int64_t samples;
  Shape input, output;

  template <class Kind>
  void operator()(const Kind& kind, bool is_forward,
                  std::vector<std::pair<nn::Operand, Doubles*>> operands,
                  nn::reference::Call call = {}) const {
    call.samples = samples;
    call.inputs = {input};
    call.output = output;
    for (auto& [name, values] : operands) call.operands.push_back({name, *values});
    is_forward ? kind.forward(call) : kind.backward(call);
  }
};

Type some_type() {
  return GENERATE(Type::f32, Type::f16, Type::bf16);
}

constexpr auto kGamma = operand::parameter(nn::Role::gamma);
constexpr auto kMean = operand::saved(nn::LayerNorm::kMean);
constexpr auto kInverse = operand::saved(nn::LayerNorm::kInverse);

/// A batch of which some samples are valid, as float64 has it; the others are NaNs.
struct LayerNormCase {
  static constexpr std::int64_t kPixels = 2;
  Type type = some_type();
  std::int64_t valid = GENERATE(3, kSamples), channels = GENERATE(1, 3, 21, 300, 1100);
  Plane plane = plane_of(type, kSamples* kPixels, channels);
  Plane counted{valid * kPixels, channels, plane.stored}, row{1, channels, plane.stored};
  nn::LayerNorm layer{.epsilon = 1e-3F};
  Doubles x = noise(type, counting(counted), 1, -1, 2), dy = noise(type, counting(counted), 2);
  Doubles gamma = noise(Type::f32, channels, 3, 0.5, 1.5), beta = noise(Type::f32, channels, 4);
  Doubles y = Doubles(x.size()), dx = y, mean = Doubles(index(counted.rows)), inverse = mean,
          dgamma = Doubles(gamma.size()), dbeta = dgamma;
  KernelMemory memory{std::size_t{1} << 20};

  LayerNormCase() {
    const Reference reference{valid, {1, kPixels, channels}, {1, kPixels, channels}};
    reference(layer, true,
              {{operand::x, &x},
               {kGamma, &gamma},
               {operand::parameter(nn::Role::beta), &beta},
               {operand::y, &y},
               {kMean, &mean},
               {kInverse, &inverse}});
    reference(layer, false,
              {{operand::dy, &dy},
               {operand::x, &x},
               {kGamma, &gamma},
               {kMean, &mean},
               {kInverse, &inverse},
               {operand::dx, &dx},
               {operand::gradient(nn::Role::gamma), &dgamma},
               {operand::gradient(nn::Role::beta), &dbeta}});
  }
  float* floats(std::int64_t count) { return memory.take<float>(Type::f32, count); }
  /// One number a row, of which those of valid rows are known.
  float* put_rows(Doubles values) {
    values.resize(index(plane.rows), NAN);
    return memory.put<float>(Type::f32, values);
  }
};

TEST_CASE("Rows are normalised by the moments of their channels") {
  LayerNormCase test;
  const auto& [type, plane, counted] = std::tie(test.type, test.plane, test.counted);
  KernelMemory& memory = test.memory;
  void* const source = memory.put(type, plane, test.x);
  void* const target = memory.take(type, plane.elements());
  float* const means = test.floats(plane.rows);
  float* const inverses = test.floats(plane.rows);
  memory.run(layer_norm_moments(type, source, means, inverses, plane, test.layer.epsilon));
  memory.run(layer_norm_apply(type, source, means, inverses,
                              memory.put<float>(Type::f32, test.row, test.gamma),
                              memory.put<float>(Type::f32, test.row, test.beta), target, plane));
  check_near(Type::f32, memory.get(Type::f32, means, counted.rows), test.mean);
  check_near(Type::f32, memory.get(Type::f32, inverses, counted.rows), test.inverse);
  check_near(type, memory.get(type, target, counted), test.y, 2e-6);
}

TEST_CASE("The gradient of layer norm goes through the moments, over the valid rows") {
  LayerNormCase test;
  const auto& [type, plane, counted] = std::tie(test.type, test.plane, test.counted);
  KernelMemory& memory = test.memory;
  void* const slopes = memory.put(type, plane, test.dy);
  float* const sums = test.floats(2 * plane.rows);
  float* const partials = test.floats(2 * sum_parts(plane.rows) * plane.stored);
  float* const totals = test.floats(2 * plane.stored);
  void* const dgamma = memory.take(type, plane.stored);
  void* const dbeta = memory.take(type, plane.stored);
  const LayerNormGradient of{.dy = slopes,
                             .x = memory.put(type, plane, test.x),
                             .mean = test.put_rows(test.mean),
                             .inverse = test.put_rows(test.inverse),
                             .gamma = memory.put<float>(Type::f32, test.row, test.gamma),
                             .scalars = memory.scalars(test.valid),
                             .pixels = test.kPixels};
  memory.run(layer_norm_column_sums(type, of, partials, plane));
  memory.run(norm_backward_totals(type, partials, totals, dgamma, dbeta, plane));
  memory.run(layer_norm_row_sums(type, of, sums, plane));
  memory.run(layer_norm_backward(type, of, sums, slopes, plane));  // in place
  check_near(type, memory.get(type, dgamma, test.row), test.dgamma, 2e-6);
  check_near(type, memory.get(type, dbeta, test.row), test.dbeta);
  check_near(type, memory.get(type, slopes, counted), test.dx, 4e-6);
  const Doubles all = memory.get(type, slopes, plane);
  CHECK(std::all_of(all.begin() + static_cast<std::ptrdiff_t>(test.dx.size()), all.end(),
                    [](double v) { return v == 0; }));
}

TEST_CASE("Moments of rows lose nothing where a mean is large") {
  const Plane plane{2, 520, 520};
  Doubles x = noise(Type::f32, counting(plane), 1);
  for (double& value : x) value = rounded(Type::f32, value + 1000);
  Doubles want;
  for (std::int64_t row = 0; row < plane.rows; ++row) {
    const auto begin = x.begin() + row * plane.channels, end = begin + plane.channels;
    const double mean = std::accumulate(begin, end, 0.0) / 520;
    double squares = 0;
    for (auto value = begin; value != end; ++value) squares += (*value - mean) * (*value - mean);
    want.push_back(1 / std::sqrt(squares / 520 + 1e-5));
  }
  KernelMemory memory;
  auto* const means = memory.take<float>(Type::f32, plane.rows);
  auto* const inverses = memory.take<float>(Type::f32, plane.rows);
  memory.run(
      layer_norm_moments(Type::f32, memory.put(Type::f32, x), means, inverses, plane, 1e-5F));
  check_near(Type::f32, memory.get(Type::f32, inverses, plane.rows), want, 1e-4);
}

TEST_CASE("Channels have factors, whose gradients are sums over the valid rows") {
  const Type type = some_type();
  const std::int64_t valid = GENERATE(3, kSamples), channels = GENERATE(1, 3, 21);
  constexpr std::int64_t kPixels = 7;
  const Plane plane = plane_of(type, kSamples * kPixels, channels);
  const Plane counted{valid * kPixels, channels, plane.stored}, row{1, channels, plane.stored};
  Doubles x = noise(type, counting(counted), 1), dy = noise(type, counting(counted), 2);
  Doubles factors = noise(Type::f32, channels, 3), y(x.size()), gradient(factors.size());
  const Reference reference{valid, {1, kPixels, channels}, {1, kPixels, channels}};
  const auto name = operand::parameter(nn::Role::gamma);
  reference(nn::Scale{}, true, {{operand::x, &x}, {name, &factors}, {operand::y, &y}});
  reference(
      nn::Scale{}, false,
      {{operand::dy, &dy}, {operand::x, &x}, {operand::gradient(nn::Role::gamma), &gradient}});

  KernelMemory memory;
  void* const source = memory.put(type, plane, x);
  void* const target = memory.take(type, plane.elements());
  void* const got = memory.take(type, plane.stored);
  auto* const partials = memory.take<float>(Type::f32, sum_parts(plane.rows) * plane.stored);
  memory.run(
      scale_channels(type, source, memory.put<float>(Type::f32, row, factors), target, plane));
  memory.run(scale_gradient_sums(type, memory.put(type, plane, dy), source, partials, plane,
                                 kPixels, memory.scalars(valid)));
  memory.run(column_totals(type, partials, got, plane));
  check_near(type, memory.get(type, target, counted), y);
  check_near(type, memory.get(type, got, row), gradient);
}

TEST_CASE("Whole samples are kept or left out as the mask of their first element says") {
  const Type type = some_type();
  const std::int64_t channels = GENERATE(1, 3, 21);
  constexpr std::int64_t kPixels = 6, kValid = 4;
  const Plane plane = plane_of(type, kSamples * kPixels, channels);
  const Plane counted{kValid * kPixels, channels, plane.stored};
  const nn::StochasticDepth layer{.rate = 0.5F};
  KernelMemory memory;
  Scalars* const scalars = memory.scalars(kValid);
  scalars->pass = 9;
  auto* const positions = memory.take<std::uint64_t>(kSamples * sizeof(std::uint64_t));
  for (std::uint64_t n = 0; n < kValid; ++n) positions[n] = (n << 33) + 4'000'000'000 + n;
  Doubles x = noise(type, counting(counted), 1), want(x.size());
  const DropoutSize size{.samples = kSamples,
                         .pixels = kPixels,
                         .channels = channels,
                         .stored = plane.stored,
                         .rate = layer.rate,
                         .layer = 300,
                         .seed = 0x123456789ABCDEFULL};
  Reference{kValid, {1, kPixels, channels}, {1, kPixels, channels}}(
      layer, true, {{operand::x, &x}, {operand::y, &want}},
      {.seed = size.seed, .pass = 9, .layer = 300, .positions = {positions, kValid}});
  void* const y = memory.take(type, plane.elements());
  memory.run(drop_samples(type, memory.put(type, plane, x), y, size, positions, scalars));
  check_near(type, memory.get(type, y, counted), want);
  const Doubles all = memory.get(type, y, plane);
  CHECK(std::all_of(all.begin() + static_cast<std::ptrdiff_t>(want.size()), all.end(),
                    [](double v) { return v == 0; }));
  const auto left_out = std::count(want.begin(), want.end(), 0.0);
  CHECK(left_out > 0);
  CHECK(left_out < static_cast<std::ptrdiff_t>(want.size()));
}

TEST_CASE("Zeros are put around images, and taken from around their gradients") {
  const Type type = some_type();
  const std::int64_t channels = GENERATE(1, 3, 21);
  const nn::ZeroPadding layer = GENERATE(nn::ZeroPadding{1, 2, 0, 3}, nn::ZeroPadding{0, 1, 2, 0});
  const Shape small{3, 4, channels};
  const Shape large{3 + layer.top + layer.bottom, 4 + layer.left + layer.right, channels};
  const Plane from = plane_of(type, kSamples * small[0] * small[1], channels);
  const Plane to = plane_of(type, kSamples * large[0] * large[1], channels);
  Doubles x = noise(type, counting(from), 1), dy = noise(type, counting(to), 2);
  Doubles y(dy.size()), dx(x.size());
  const Reference reference{kSamples, small, large};
  reference(layer, true, {{operand::x, &x}, {operand::y, &y}});
  reference(layer, false, {{operand::dy, &dy}, {operand::dx, &dx}});

  KernelMemory memory;
  void* const got = memory.take(type, to.elements());
  void* const back = memory.take(type, from.elements());
  memory.run(shift(type, memory.put(type, from, x), got,
                   {kSamples, channels, from.stored, small[0], small[1], large[0], large[1],
                    std::int64_t{layer.top}, std::int64_t{layer.left}}));
  memory.run(shift(type, memory.put(type, to, dy), back,
                   {kSamples, channels, from.stored, large[0], large[1], small[0], small[1],
                    -std::int64_t{layer.top}, -std::int64_t{layer.left}}));
  CHECK(memory.get(type, got, to) == y);
  CHECK(memory.get(type, back, from) == dx);
}

TEST_CASE("Pixels are repeated, and the gradients of their copies added up") {
  const Type type = some_type();
  const std::int64_t channels = GENERATE(1, 3, 21);
  const nn::Upsample layer = GENERATE(nn::Upsample{2, 2}, nn::Upsample{1, 3}, nn::Upsample{3, 1});
  const Shape small{3, 4, channels}, large{3 * layer.rows, 4 * layer.columns, channels};
  const Plane from = plane_of(type, kSamples * small[0] * small[1], channels);
  const Plane to = plane_of(type, kSamples * large[0] * large[1], channels);
  Doubles x = noise(type, counting(from), 1), dy = noise(type, counting(to), 2);
  Doubles y(dy.size()), dx(x.size());
  const Reference reference{kSamples, small, large};
  reference(layer, true, {{operand::x, &x}, {operand::y, &y}});
  reference(layer, false, {{operand::dy, &dy}, {operand::dx, &dx}});

  KernelMemory memory;
  const Upsampling size{kSamples,    small[0],   small[1],     channels,
                        from.stored, layer.rows, layer.columns};
  void* const got = memory.take(type, to.elements());
  void* const back = memory.take(type, from.elements());
  memory.run(upsample(type, memory.put(type, from, x), got, size));
  memory.run(upsample_backward(type, memory.put(type, to, dy), back, size));
  CHECK(memory.get(type, got, to) == y);
  check_near(type, memory.get(type, back, from), dx);
}

}  // namespace

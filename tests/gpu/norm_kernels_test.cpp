// Batch norm against the float64 reference, whose batch has the valid rows alone.

#include <millrace/gpu/kernels/batch_norm.h>

#include "kernel_memory.h"

#include "gpu/reference_ops.h"

namespace {

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
using nn::reference::In;
using nn::reference::Out;
namespace reference = millrace::nn::reference;

In in(const Doubles& values) {
  return std::span(values);
}
Out out(Doubles& values) {
  return std::span(values);
}

constexpr std::int64_t kSamples = 5;

/// A batch of which some samples are valid; the others are NaNs.
struct NormCase {
  Type type;
  std::int64_t valid, pixels;
  Plane plane;
  NormConstants constants;
  KernelMemory memory{};

  NormCase(Type storage, std::int64_t samples, std::int64_t rows, std::int64_t channels,
           bool biased = false)
      : type(storage),
        valid(samples),
        pixels(rows),
        plane(plane_of(storage, kSamples * rows, channels)),
        constants{.momentum = 0.9F, .epsilon = 1e-3F, .biased_variance = biased, .pixels = rows} {}

  [[nodiscard]] reference::Pixels size() const { return {valid, pixels, plane.channels}; }
  [[nodiscard]] nn::BatchNorm norm() const {
    return {constants.momentum, constants.epsilon, constants.biased_variance};
  }
  [[nodiscard]] Plane row() const { return {1, plane.channels, plane.stored}; }
  [[nodiscard]] Doubles batch(std::uint64_t seed) const {
    return noise(type, valid * pixels * plane.channels, seed, -1, 2);
  }
  [[nodiscard]] Doubles parameters(std::uint64_t seed) const {
    return noise(Type::f32, plane.channels, seed, 0.5, 1.5);
  }
  void* put(const Doubles& values) { return memory.put(type, plane, values); }
  float* put_row(const Doubles& values) { return memory.put<float>(Type::f32, row(), values); }
  float* take_row() { return memory.take<float>(Type::f32, plane.stored); }
  float* partials(std::int64_t sums) {
    return memory.take<float>(Type::f32, sums * sum_parts(plane.rows) * plane.stored);
  }
  [[nodiscard]] Doubles got_row(const float* values) const {
    return memory.get(Type::f32, values, row());
  }
  /// Of the valid rows.
  [[nodiscard]] Doubles got(const void* values) const {
    return memory.get(type, values, Plane{valid * pixels, plane.channels, plane.stored});
  }
};

NormCase any_case() {
  const Type type = GENERATE(Type::f32, Type::f16, Type::bf16);
  const std::int64_t valid = GENERATE(3, kSamples), pixels = GENERATE(1, 77),
                     channels = GENERATE(1, 3, 21);
  return NormCase(type, valid, pixels, channels);
}

TEST_CASE("Statistics are of the valid rows, running ones are updated, and rows are normalised") {
  NormCase test = any_case();
  const bool biased = GENERATE(false, true), relu = GENERATE(false, true);
  test.constants.biased_variance = biased;
  const Doubles x = test.batch(1), gamma = test.parameters(2),
                beta = noise(Type::f32, test.plane.channels, 3);
  Doubles running_mean = test.parameters(4), running_variance = test.parameters(5);
  Doubles y(x.size()), mean(gamma.size()), variance(gamma.size());

  Scalars* const scalars = test.memory.scalars(test.valid);
  void* const source = test.put(x);
  void* const target = test.memory.take(test.type, test.plane.elements());
  float* const partials = test.partials(1);
  float* const means = test.take_row();
  float* const variances = test.take_row();
  float* const running_means = test.put_row(running_mean);
  float* const running_variances = test.put_row(running_variance);
  KernelMemory& memory = test.memory;
  memory.run(norm_sums(test.type, source, partials, test.plane, test.constants, scalars));
  memory.run(norm_mean(partials, means, test.plane, test.constants, scalars));
  memory.run(norm_squares(test.type, source, means, partials, test.plane, test.constants, scalars));
  memory.run(norm_variance(partials, means, variances, running_means, running_variances, test.plane,
                           test.constants, scalars));
  memory.run(norm_apply(test.type, source, means, variances, test.put_row(gamma),
                        test.put_row(beta), target, test.plane, test.constants, relu));

  reference::batch_norm_forward(test.size(), test.norm(), in(x), in(gamma), in(beta),
                                out(running_mean), out(running_variance), out(y), out(mean),
                                out(variance));
  if (relu) reference::forward<nn::Relu>(1, in(y), out(y));
  check_near(Type::f32, test.got_row(means), mean);
  check_near(Type::f32, test.got_row(variances), variance);
  check_near(Type::f32, test.got_row(running_means), running_mean);
  check_near(Type::f32, test.got_row(running_variances), running_variance);
  check_near(test.type, test.got(target), y);
}

TEST_CASE("One valid row has no unbiased variance: its biased one is kept") {
  NormCase test(Type::f32, 1, 1, 3);
  Scalars* const scalars = test.memory.scalars(1);
  float* const partials = test.memory.put<float>(Type::f32, Plane{1, 3, 4}, {0, 0, 0});
  float* const kept = test.put_row({1, 1, 1});
  test.memory.run(norm_variance(partials, test.put_row({5, 6, 7}), test.take_row(),
                                test.put_row({0, 0, 0}), kept, test.plane, test.constants,
                                scalars));
  check_near(Type::f32, test.got_row(kept), {0.9, 0.9, 0.9});
}

TEST_CASE("The gradient of batch norm goes through mean and variance of the valid rows") {
  NormCase test = any_case();
  const Doubles x = test.batch(1), dy = test.batch(2), gamma = test.parameters(3);
  const Doubles mean = test.parameters(4), variance = test.parameters(5);
  Doubles dx(x.size()), dgamma(gamma.size()), dbeta(gamma.size());
  reference::batch_norm_backward(test.size(), test.norm(), in(dy), in(x), in(gamma), in(mean),
                                 in(variance), out(dx), out(dgamma), out(dbeta));

  const auto& [type, plane, constants] = std::tie(test.type, test.plane, test.constants);
  KernelMemory& memory = test.memory;
  Scalars* const scalars = memory.scalars(test.valid);
  void* const source = test.put(x);
  void* const slopes = test.put(dy);
  float* const means = test.put_row(mean);
  float* const variances = test.put_row(variance);
  float* const partials = test.partials(2);
  auto* const sums = memory.take<float>(Type::f32, 2 * plane.stored);
  void* const got_dgamma = memory.take(type, plane.stored);
  void* const got_dbeta = memory.take(type, plane.stored);
  void* const target = memory.take(type, plane.elements());
  memory.run(norm_backward_sums(type, slopes, source, means, variances, partials, plane, constants,
                                scalars));
  memory.run(norm_backward_totals(type, partials, sums, got_dgamma, got_dbeta, plane));
  memory.run(norm_backward(type, slopes, source, means, variances, test.put_row(gamma), sums,
                           target, plane, constants, scalars));

  check_near(type, memory.get(type, got_dgamma, test.row()), dgamma);
  check_near(type, memory.get(type, got_dbeta, test.row()), dbeta);
  Doubles both = dbeta;
  both.insert(both.end(), dgamma.begin(), dgamma.end());
  check_near(Type::f32, memory.get(Type::f32, sums, Plane{2, plane.channels, plane.stored}), both);
  check_near(type, test.got(target), dx);
  const Doubles all = memory.get(type, target, plane);
  CHECK(std::all_of(all.begin() + static_cast<std::ptrdiff_t>(dx.size()), all.end(),
                    [](double v) { return v == 0; }));
}

TEST_CASE("Running statistics are constants to the gradient of a frozen batch norm") {
  NormCase test(GENERATE(Type::f32, Type::f16, Type::bf16), kSamples, 7, 11);
  const Doubles dy = test.batch(1), gamma = test.parameters(2), variance = test.parameters(3);
  Doubles dx(dy.size());
  reference::frozen_batch_norm_backward(test.size(), test.norm(), in(dy), in(gamma), in(variance),
                                        out(dx));
  void* const target = test.memory.take(test.type, test.plane.elements());
  test.memory.run(frozen_norm_backward(test.type, test.put(dy), test.put_row(gamma),
                                       test.put_row(variance), target, test.plane, test.constants));
  check_near(test.type, test.got(target), dx);
}

}  // namespace

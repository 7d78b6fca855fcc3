// Convolutions and matrix products of the recording device against float64 loops.

#include <millrace/gpu/fake/recording_device.h>

#include <millrace/core/half.h>
#include <millrace/core/shape.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "catch.h"

#include "gpu/reference_ops.h"

using namespace millrace;
using namespace millrace::gpu;
namespace reference = millrace::nn::reference;
using nn::Precision;

namespace {

using Copy = Device::Copy;
using Doubles = std::vector<double>;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The bound on |d| / |reference|, both as Euclidean norms: half a unit of the storage type, and
/// for TF32 operands that were rounded inside.
double tolerance(Precision precision) {
  switch (precision) {
    case Precision::fp32: return 1e-6;
    case Precision::tf32: return 1e-3;
    case Precision::fp16: return 5e-4;
    case Precision::bf16: return 4e-3;
  }
  return 0;
}

double distance(const Doubles& seen, const Doubles& wanted) {
  REQUIRE(seen.size() == wanted.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    difference += (seen[i] - wanted[i]) * (seen[i] - wanted[i]);
    norm += wanted[i] * wanted[i];
  }
  return std::sqrt(difference) / std::sqrt(norm);
}

/// Tensors in the memory of a device, filled and read through pinned memory.
class Bench {
 public:
  [[nodiscard]] RecordingDevice& device() { return *device_; }
  [[nodiscard]] Stream& stream() { return *stream_; }

  /// Values that the type can hold.
  Doubles random(DType type, std::int64_t count) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    Doubles values(index(count));
    for (double& value : values) {
      const float drawn = uniform(random_);
      if (type == DType::f16) value = double{float_from_f16(f16_from_float(drawn))};
      if (type == DType::bf16) value = double{float_from_bf16(bf16_from_float(drawn))};
      if (type == DType::f32) value = double{drawn};
    }
    return values;
  }
  /// On the device.
  Buffer put(DType type, const Doubles& values) {
    Buffer pinned = device_->allocate_pinned(Bytes{values.size() * size_of(type)});
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<float>(values[i]);
      if (type == DType::f32) pinned.as<float>()[i] = value;
      if (type == DType::f16) pinned.as<std::uint16_t>()[i] = f16_from_float(value);
      if (type == DType::bf16) pinned.as<std::uint16_t>()[i] = bf16_from_float(value);
    }
    Buffer memory = device_->allocate(Bytes{pinned.size()}, "a tensor");
    device_->copy(*stream_, memory.data(), pinned.data(), Bytes{pinned.size()}, Copy::to_device);
    return memory;
  }
  Buffer room(DType type, std::int64_t count) {
    return device_->allocate(Bytes{index(count) * size_of(type)}, "a result");
  }
  Doubles get(DType type, const Buffer& memory) {
    const Buffer pinned = device_->allocate_pinned(Bytes{memory.size()});
    const auto event = device_->make_event(false);
    device_->copy(*stream_, pinned.data(), memory.data(), Bytes{memory.size()}, Copy::to_host);
    device_->record(*event, *stream_);
    device_->synchronize(*event);
    Doubles values(memory.size() / size_of(type));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (type == DType::f32) values[i] = double{pinned.as<float>()[i]};
      if (type == DType::f16) values[i] = double{float_from_f16(pinned.as<std::uint16_t>()[i])};
      if (type == DType::bf16) values[i] = double{float_from_bf16(pinned.as<std::uint16_t>()[i])};
    }
    return values;
  }

 private:
  std::shared_ptr<RecordingDevice> device_ = RecordingDevice::make();
  std::unique_ptr<Stream> stream_ = device_->make_stream("work");
  std::mt19937 random_{7};
};

/// Values without the gaps between rows.
Doubles packed(const Doubles& x, std::int64_t rows, std::int64_t columns, std::int64_t stride) {
  Doubles result;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto begin = x.begin() + row * stride;
    result.insert(result.end(), begin, begin + columns);
  }
  return result;
}

/// A product, its matrices with gaps between their rows, by definition and on the device.
struct Product {
  Product(const Matmul& asked, Bench& on) : m(asked), bench(on) {
    m.lda = (m.transpose_a ? m.m : m.k) + 3;
    m.ldb = (m.transpose_b ? m.k : m.n) + 5;
    m.ldd = m.n + 2;
    m.ld_aux = 128;
    a = bench.random(type, (m.transpose_a ? m.k : m.m) * m.lda);
    b = bench.random(type, (m.transpose_b ? m.n : m.k) * m.ldb);
  }
  [[nodiscard]] double a_at(std::int64_t row, std::int64_t p) const {
    return a[index(m.transpose_a ? p * m.lda + row : row * m.lda + p)];
  }
  [[nodiscard]] double b_at(std::int64_t p, std::int64_t column) const {
    return b[index(m.transpose_b ? column * m.ldb + p : p * m.ldb + column)];
  }
  [[nodiscard]] Doubles product() const {
    Doubles result;
    for (std::int64_t i = 0; i < m.m; ++i) {
      for (std::int64_t j = 0; j < m.n; ++j) {
        double sum = 0;
        for (std::int64_t p = 0; p < m.k; ++p) sum += a_at(i, p) * b_at(p, j);
        result.push_back(sum);
      }
    }
    return result;
  }
  /// D; bias and aux are memory of the caller's.
  Doubles run(const Buffer& bias, const Buffer& aux) {
    const Buffer on_a = bench.put(type, a);
    const Buffer on_b = bench.put(type, b);
    const Buffer on_d = bench.room(output, m.m * m.ldd);
    const auto plan = bench.device().plan(m, 1_MiB);
    REQUIRE(plan);
    const Buffer workspace = bench.device().allocate(plan->workspace(), "workspace");
    bench.device().run(
        bench.stream(), *plan,
        {on_a.data(), on_b.data(), on_d.data(), bias.data(), aux.data(), workspace.data()});
    return packed(bench.get(output, on_d), m.m, m.n, m.ldd);
  }

  Matmul m;
  Bench& bench;
  DType type = nn::storage_of(m.precision);
  DType output = m.float_output ? DType::f32 : type;
  Doubles a, b;
};

Doubles column_sums(const Doubles& x, std::int64_t columns) {
  Doubles sums(index(columns));
  for (std::size_t i = 0; i < x.size(); ++i) sums[i % sums.size()] += x[i];
  return sums;
}

Matmul odd_product(Precision precision) {
  return {.precision = precision, .m = 13, .n = 37, .k = 301};
}

}  // namespace

TEST_CASE("products of every storage, transposed or not, match float64 loops") {
  const auto precision =
      GENERATE(Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16);
  Bench bench;
  Matmul m = odd_product(precision);
  m.transpose_a = GENERATE(false, true);
  m.transpose_b = GENERATE(false, true);
  m.float_output = GENERATE(false, true);
  CAPTURE(to_string(m));
  Product product(m, bench);
  const double bound = m.float_output && precision != Precision::tf32 ? 1e-6 : tolerance(precision);
  CHECK(distance(product.run({}, {}), product.product()) < bound);
  CHECK(bench.device().violations().empty());
}

TEST_CASE("a product with a bias, with ReLU, and with the bits of what was positive") {
  const auto precision = GENERATE(Precision::fp32, Precision::fp16, Precision::bf16);
  Bench bench;
  Matmul m = odd_product(precision);
  m.epilogue = GENERATE(Epilogue::bias, Epilogue::relu_bias, Epilogue::relu_aux_bias);
  Product product(m, bench);
  const Doubles bias = bench.random(product.type, m.n);
  Buffer aux = bench.device().allocate(Bytes{13 * 128 / 8}, "aux");
  const Doubles seen = product.run(bench.put(product.type, bias), aux);

  Doubles wanted = product.product();
  Doubles is_positive;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i] += bias[i % bias.size()];
    is_positive.push_back(wanted[i] > 0 ? 1 : 0);
    if (m.epilogue != Epilogue::bias && wanted[i] < 0) wanted[i] = 0;
  }
  CHECK(distance(seen, wanted) < tolerance(precision));
  if (m.epilogue != Epilogue::relu_aux_bias) return;
  Doubles bits;
  for (std::int64_t i = 0; i < m.m * m.n; ++i) {
    const auto byte = static_cast<unsigned>(aux.data()[i / m.n * 16 + i % m.n / 8]);
    bits.push_back((byte >> (i % m.n % 8)) & 1U);
  }
  CHECK(bits == is_positive);
}

TEST_CASE("a product masked by the bits, with the sums of its columns") {
  const auto precision = GENERATE(Precision::fp32, Precision::fp16, Precision::bf16);
  Bench bench;
  Matmul m = odd_product(precision);
  m.epilogue = Epilogue::drelu_bgrad;
  Product product(m, bench);
  // Every third element counts.
  Buffer pinned = bench.device().allocate_pinned(Bytes{13 * 16});
  Doubles wanted = product.product();
  for (std::int64_t i = 0; i < m.m * m.n; ++i) {
    if (i % 3 != 0) {
      wanted[index(i)] = 0;
      continue;
    }
    std::byte& byte = pinned.data()[i / m.n * 16 + i % m.n / 8];
    byte |= std::byte{1} << (i % m.n % 8);
  }
  Buffer aux = bench.device().allocate(Bytes{13 * 16}, "aux");
  bench.device().copy(bench.stream(), aux.data(), pinned.data(), Bytes{13 * 16}, Copy::to_device);
  const Buffer sums = bench.room(product.type, m.n);
  CHECK(distance(product.run(sums, aux), wanted) < tolerance(precision));
  CHECK(distance(bench.get(product.type, sums), column_sums(wanted, m.n)) < tolerance(precision));
}

TEST_CASE("a product with the sums of an operand, which are the gradient of a bias") {
  const auto precision = GENERATE(Precision::fp32, Precision::fp16, Precision::bf16);
  Bench bench;
  Matmul m = odd_product(precision);
  m.transpose_a = GENERATE(false, true);
  m.transpose_b = GENERATE(false, true);
  m.epilogue = GENERATE(Epilogue::bgrad_a, Epilogue::bgrad_b);
  Product product(m, bench);
  const bool of_a = m.epilogue == Epilogue::bgrad_a;
  Doubles wanted(index(of_a ? m.m : m.n));
  for (std::int64_t i = 0; i < std::ssize(wanted); ++i) {
    for (std::int64_t p = 0; p < m.k; ++p) {
      wanted[index(i)] += of_a ? product.a_at(i, p) : product.b_at(p, i);
    }
  }
  const Buffer sums = bench.room(product.type, std::ssize(wanted));
  CHECK(distance(product.run(sums, {}), product.product()) < tolerance(precision));
  CHECK(distance(bench.get(product.type, sums), wanted) < tolerance(precision));
}

namespace {

/// nn keeps kernels as [filters][channels][rows][columns].
Doubles to_nn(const Convolution& c, const Doubles& w) {
  Doubles result(w.size());
  std::size_t from = 0;
  for (std::int64_t f = 0; f < c.filters; ++f) {
    for (std::int64_t at = 0; at < c.rows * c.columns; ++at) {
      for (std::int64_t channel = 0; channel < c.channels; ++channel) {
        result[index((f * c.channels + channel) * c.rows * c.columns + at)] = w[from++];
      }
    }
  }
  return result;
}

reference::Sliding sliding(const Convolution& c) {
  return {.samples = c.batch,
          .height = c.height,
          .width = c.width,
          .channels = c.channels,
          .out_height = c.out_height,
          .out_width = c.out_width,
          .filters = c.filters,
          .rows = c.rows,
          .columns = c.columns,
          .stride = c.stride,
          .top = c.top,
          .left = c.left};
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

void run(Bench& bench, const Convolution& c, const Buffer& x, const Buffer& w, const Buffer& y,
         const Buffer& bias) {
  const auto plan = bench.device().plan(c, 1_MiB);
  REQUIRE(plan);
  const Buffer workspace = bench.device().allocate(plan->workspace(), "workspace");
  bench.device().run(bench.stream(), *plan,
                     {x.data(), w.data(), y.data(), bias.data(), workspace.data()});
}

struct Tensors {
  Tensors(Bench& bench, const Convolution& c)
      : type(nn::storage_of(c.precision)),
        x(bench.random(type, c.batch * c.height * c.width * c.channels)),
        w(bench.random(type, c.filters * c.rows * c.columns * c.channels)),
        y(bench.random(type, c.batch * c.out_height * c.out_width * c.filters)),
        bias(bench.random(type, c.filters)) {}
  DType type;
  Doubles x, w, y, bias;
};

Precision any_precision() {
  return GENERATE(Precision::fp32, Precision::tf32, Precision::fp16, Precision::bf16);
}

}  // namespace

TEST_CASE("convolutions forward, with and without bias and ReLU, match the reference engine") {
  Convolution c = odd_convolution(any_precision());
  c.bias = GENERATE(false, true);
  c.relu = GENERATE(false, true);
  CAPTURE(to_string(c));
  Bench bench;
  Tensors t(bench, c);
  const Buffer y = bench.room(t.type, std::ssize(t.y));
  run(bench, c, bench.put(t.type, t.x), bench.put(t.type, t.w), y, bench.put(t.type, t.bias));

  const Doubles w = to_nn(c, t.w);
  Doubles wanted(t.y.size());
  reference::conv2d_forward(
      sliding(c), std::span<const double>(t.x), std::span<const double>(w),
      c.bias ? reference::In(std::span<const double>(t.bias)) : reference::In(), std::span(wanted));
  if (c.relu) {
    for (double& value : wanted) value = value < 0 ? 0 : value;
  }
  CHECK(distance(bench.get(t.type, y), wanted) < tolerance(c.precision));
  CHECK(bench.device().violations().empty());
}

TEST_CASE("the data gradient of convolutions matches the reference engine") {
  Convolution c = odd_convolution(any_precision());
  c.pass = Convolution::Pass::backward_data;
  CAPTURE(to_string(c));
  Bench bench;
  Tensors t(bench, c);
  const Buffer dx = bench.room(t.type, std::ssize(t.x));
  run(bench, c, dx, bench.put(t.type, t.w), bench.put(t.type, t.y), {});

  const Doubles w = to_nn(c, t.w);
  Doubles wanted(t.x.size());
  reference::conv2d_backward_data(sliding(c), std::span<const double>(t.y),
                                  std::span<const double>(w), std::span(wanted));
  CHECK(distance(bench.get(t.type, dx), wanted) < tolerance(c.precision));
}

TEST_CASE("the weight gradient of convolutions matches the reference engine") {
  Convolution c = odd_convolution(any_precision());
  c.pass = Convolution::Pass::backward_weights;
  CAPTURE(to_string(c));
  Bench bench;
  Tensors t(bench, c);
  const Buffer dw = bench.room(t.type, std::ssize(t.w));
  run(bench, c, bench.put(t.type, t.x), dw, bench.put(t.type, t.y), {});

  Doubles wanted(t.w.size());
  reference::conv2d_backward_parameters(sliding(c), std::span<const double>(t.x),
                                        std::span<const double>(t.y), std::span(wanted), {});
  CHECK(distance(to_nn(c, bench.get(t.type, dw)), wanted) < tolerance(c.precision));
}

// Matrix products of the recording device against float64 loops.

#include <cstring>
#include <string>

#include "gpu/host_bench.h"

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;

namespace {

using Copy = Device::Copy;

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
  Product(const Matmul& asked, HostBench& on) : m(asked), bench(on) {
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
  HostBench& bench;
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
  HostBench bench;
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
  HostBench bench;
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
  HostBench bench;
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
  HostBench bench;
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

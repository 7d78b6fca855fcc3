// Matrix products of a device against float64.

#include "catch.h"

#include "gpu/device_bench.h"

#include <algorithm>

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;

namespace {

constexpr Epilogue kEpilogues[] = {
    Epilogue::none,        Epilogue::bias,    Epilogue::relu_bias, Epilogue::relu_aux_bias,
    Epilogue::drelu_bgrad, Epilogue::bgrad_b, Epilogue::bgrad_a};

// Rows of odd matrices are longer than their columns; the rest of a row must stay as it is.
Matmul product(nn::Precision precision, std::int64_t m, std::int64_t n, std::int64_t k,
               bool transpose_a, bool transpose_b) {
  Matmul product{.precision = precision,
                 .m = m,
                 .n = n,
                 .k = k,
                 .transpose_a = transpose_a,
                 .transpose_b = transpose_b};
  product.lda = (transpose_a ? m : k) + 8;
  product.ldb = (transpose_b ? k : n) + 16;
  product.ldd = n + 8;
  return product;
}

struct Numerals {
  Matmul m;
  DType type = nn::storage_of(m.precision);
  DType output = m.float_output ? DType::f32 : type;
  Numbers a = random_numbers(type, (m.transpose_a ? m.k : m.m) * m.lda, 1);
  Numbers b = random_numbers(type, (m.transpose_b ? m.n : m.k) * m.ldb, 2);
  Numbers bias = random_numbers(type, std::max(m.m, m.n), 3);

  [[nodiscard]] double at_a(std::int64_t i, std::int64_t l) const {
    return a[static_cast<std::size_t>(m.transpose_a ? l * m.lda + i : i * m.lda + l)];
  }
  [[nodiscard]] double at_b(std::int64_t l, std::int64_t j) const {
    return b[static_cast<std::size_t>(m.transpose_b ? j * m.ldb + l : l * m.ldb + j)];
  }
  [[nodiscard]] Numbers plain() const {  // [m][n]
    Numbers d;
    for (std::int64_t i = 0; i < m.m; ++i) {
      for (std::int64_t j = 0; j < m.n; ++j) {
        double sum = 0;
        for (std::int64_t l = 0; l < m.k; ++l) sum += at_a(i, l) * at_b(l, j);
        d.push_back(sum);
      }
    }
    return d;
  }
  [[nodiscard]] Numbers with_bias(bool relu) const {
    Numbers d = plain();
    for (std::size_t i = 0; i < d.size(); ++i) {
      d[i] += bias[i % static_cast<std::size_t>(m.n)];
      if (relu) d[i] = std::max(d[i], 0.0);
    }
    return d;
  }
  [[nodiscard]] Numbers column_sums(const Numbers& d) const {
    Numbers sums(static_cast<std::size_t>(m.n));
    for (std::size_t i = 0; i < d.size(); ++i) sums[i % sums.size()] += d[i];
    return sums;
  }
  [[nodiscard]] Numbers sums_of_b() const {
    Numbers sums(static_cast<std::size_t>(m.n));
    for (std::int64_t l = 0; l < m.k; ++l) {
      for (std::int64_t j = 0; j < m.n; ++j) sums[static_cast<std::size_t>(j)] += at_b(l, j);
    }
    return sums;
  }
  [[nodiscard]] Numbers sums_of_a() const {
    Numbers sums(static_cast<std::size_t>(m.m));
    for (std::int64_t l = 0; l < m.k; ++l) {
      for (std::int64_t i = 0; i < m.m; ++i) sums[static_cast<std::size_t>(i)] += at_a(i, l);
    }
    return sums;
  }
};

struct Memory {
  Buffer a, b, d, bias, aux, workspace;
  [[nodiscard]] MatmulMemory pointers() const {
    return {a.data(), b.data(), d.data(), bias.data(), aux.data(), workspace.data()};
  }
};

// [m][n] of what lies [m][ldd]; what lies between must still be the NaN that it was.
Numbers rows_of(const Numerals& in, const Numbers& d) {
  Numbers rows;
  bool is_untouched = true;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i) % in.m.ldd;
    if (column < in.m.n) {
      rows.push_back(d[i]);
    } else {
      is_untouched = is_untouched && std::isnan(d[i]);
    }
  }
  CHECK(is_untouched);
  return rows;
}

Numbers first(const Numbers& numbers, std::int64_t count) {
  return {numbers.begin(), numbers.begin() + count};
}

class Products {
 public:
  explicit Products(std::shared_ptr<Device> device) : bench_{std::move(device)} {}

  void check(const Matmul& m) {
    INFO(to_string(m));
    const auto plan = bench_.device->plan(m, kWorkspace);
    if (!plan) {
      CHECK_FALSE((m.epilogue == Epilogue::none || has_all_fusions()));
      WARN("no plan for " << to_string(m));
      return;
    }
    CHECK(plan->operation() == m);
    CHECK(plan->workspace() <= kWorkspace);
    const Numerals in{m};
    Memory memory = memory_for(in, plan->workspace());
    Numbers masked;
    if (m.epilogue == Epilogue::drelu_bgrad && !make_mask(in, memory, masked)) return;
    bench_.device->run(*bench_.stream, *plan, memory.pointers());
    const Raw once = bench_.download(memory.d);
    const Numbers d = rows_of(in, decode(in.output, once));
    const Numbers bias = bench_.download(in.type, memory.bias);
    compare(in, d, bias, masked);

    bench_.device->run(*bench_.stream, *plan, memory.pointers());
    CHECK(bench_.download(memory.d) == once);  // deterministic
  }

 private:
  static constexpr Bytes kWorkspace{std::uint64_t{16} << 20};

  Memory memory_for(const Numerals& in, Bytes workspace) {
    const Matmul& m = in.m;
    return {.a = bench_.upload(in.type, in.a),
            .b = bench_.upload(in.type, in.b),
            .d = bench_.poisoned(static_cast<std::size_t>(m.m * m.ldd) * size_of(in.output)),
            .bias = bench_.upload(in.type, in.bias),
            .aux = bench_.poisoned(static_cast<std::size_t>(m.m * m.ld_aux / 8)),
            .workspace = bench_.poisoned(workspace.count)};
  }

  // The mask comes from a forward product of the same size; `masked`: which elements pass.
  bool make_mask(const Numerals& in, Memory& memory, Numbers& masked) {
    Matmul forward = in.m;
    forward.epilogue = Epilogue::relu_aux_bias;
    const auto plan = bench_.device->plan(forward, kWorkspace);
    if (!plan) {
      WARN("no plan for " << to_string(forward));
      return false;
    }
    const Buffer workspace = bench_.poisoned(plan->workspace().count);
    MatmulMemory pointers = memory.pointers();
    pointers.workspace = workspace.data();
    bench_.device->run(*bench_.stream, *plan, pointers);
    masked = rows_of(in, bench_.download(in.output, memory.d));
    for (double& element : masked) element = element > 0 ? 1 : 0;
    return true;
  }

  static void compare(const Numerals& in, const Numbers& d, const Numbers& bias,
                      const Numbers& masked) {
    const Matmul& m = in.m;
    const double bound = tolerance(m.precision);
    Numbers want;
    switch (m.epilogue) {
      case Epilogue::bias: want = in.with_bias(false); break;
      case Epilogue::relu_bias:
      case Epilogue::relu_aux_bias: want = in.with_bias(true); break;
      default: want = in.plain();
    }
    for (std::size_t i = 0; i < masked.size(); ++i) want[i] *= masked[i];
    CHECK(relative_error(d, want) < bound);
    switch (m.epilogue) {
      case Epilogue::drelu_bgrad:
        CHECK(relative_error(first(bias, m.n), in.column_sums(want)) < bound);
        break;
      case Epilogue::bgrad_b:
        CHECK(relative_error(first(bias, m.n), in.sums_of_b()) < bound);
        break;
      case Epilogue::bgrad_a:
        CHECK(relative_error(first(bias, m.m), in.sums_of_a()) < bound);
        break;
      default: CHECK(bias == in.bias);
    }
  }

  Bench bench_;
};

}  // namespace

TEST_CASE("Products of a device equal those of float64: every epilogue and transposition") {
  const auto device = device_under_test();
  if (!device) return;
  const std::uint64_t before = launches();
  Products products(device);
  for (const nn::Precision precision : kPrecisions) {
    for (const Epilogue epilogue : kEpilogues) {
      for (const int transposed : {0, 1, 2, 3}) {
        Matmul m = product(precision, 40, 72, 56, (transposed & 1) != 0, (transposed & 2) != 0);
        m.epilogue = epilogue;
        m.ld_aux = 128;
        products.check(m);
      }
    }
  }
  CHECK(launches() > before);
}

TEST_CASE("Products of a device with float32 output of 16-bit numbers equal those of float64") {
  const auto device = device_under_test();
  if (!device) return;
  Products products(device);
  for (const nn::Precision precision : {nn::Precision::fp16, nn::Precision::bf16}) {
    Matmul m = product(precision, 100, 16, 512, false, true);
    m.float_output = true;
    products.check(m);
  }
}

TEST_CASE("Products of a device with the sizes of a small perceptron equal those of float64") {
  const auto device = device_under_test();
  if (!device) return;
  Products products(device);
  // 784-500-10 at batch 100, as it is padded: forward, gradient of the hidden layer, of weights.
  Matmul forward = product(nn::Precision::fp16, 100, 504, 784, false, true);
  forward.epilogue = Epilogue::relu_aux_bias;
  forward.ld_aux = 512;
  products.check(forward);
  Matmul data = product(nn::Precision::fp16, 100, 504, 16, false, false);
  data.epilogue = Epilogue::drelu_bgrad;
  data.ld_aux = 512;
  products.check(data);
  Matmul weights = product(nn::Precision::fp16, 504, 784, 100, true, false);
  weights.epilogue = Epilogue::bgrad_a;
  products.check(weights);
}

TEST_CASE("Products of a device with sizes that fit no tensor core equal those of float64") {
  const auto device = device_under_test();
  if (!device) return;
  Products products(device);
  for (const nn::Precision precision : kPrecisions) {
    products.check(product(precision, 1, 8, 8, false, true));
    products.check(product(precision, 3, 8, 24, false, false));
  }
}

#include "catch.h"

#include <millrace/gpu/cuda/cublas_lt_problem.h>
#include <millrace/gpu/cuda/cuda_objects.h>

#include <algorithm>
#include <vector>

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::detail;

namespace {

using Numbers = std::vector<double>;

struct Result {
  Numbers d;                // [m][ldd]
  Numbers bias;             // [max(m, n)]
  std::vector<bool> aux{};  // [m][ld_aux]
};

struct Operands {
  Numbers a, b;
  Result before;
};

Numbers random_numbers(std::int64_t count, std::uint64_t salt) {
  Numbers numbers;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = (static_cast<std::uint64_t>(i) * 2654435761U + salt * 40503U) % 2048U;
    numbers.push_back(static_cast<double>(bits) / 1024 - 1);
  }
  return numbers;
}

Operands operands_of(const Matmul& m) {
  Operands made;
  made.a = random_numbers((m.transpose_a ? m.k : m.m) * m.lda, 1);
  made.b = random_numbers((m.transpose_b ? m.n : m.k) * m.ldb, 2);
  made.before.d = Numbers(static_cast<std::size_t>(m.m * m.ldd), 77);
  made.before.bias = random_numbers(std::max(m.m, m.n), 3);
  for (std::int64_t i = 0; i < m.m * m.ld_aux; ++i) made.before.aux.push_back(i % 3 == 0);
  return made;
}

double at(const Numbers& numbers, std::int64_t index) {
  return numbers[static_cast<std::size_t>(index)];
}

// What gpu/operations.h promises, in its words.
Result expected(const Matmul& m, const Operands& in) {
  Result out = in.before;
  const auto a = [&](std::int64_t i, std::int64_t l) {
    return at(in.a, m.transpose_a ? l * m.lda + i : i * m.lda + l);
  };
  const auto b = [&](std::int64_t l, std::int64_t j) {
    return at(in.b, m.transpose_b ? j * m.ldb + l : l * m.ldb + j);
  };
  const bool sums_d = m.epilogue == Epilogue::drelu_bgrad;
  if (sums_d) std::ranges::fill(out.bias, 0.0);
  for (std::int64_t i = 0; i < m.m; ++i) {
    for (std::int64_t j = 0; j < m.n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < m.k; ++l) sum += a(i, l) * b(l, j);
      const auto bit = static_cast<std::size_t>(i * m.ld_aux + j);
      switch (m.epilogue) {
        case Epilogue::bias: sum += at(in.before.bias, j); break;
        case Epilogue::relu_bias: sum = std::max(sum + at(in.before.bias, j), 0.0); break;
        case Epilogue::relu_aux_bias:
          sum += at(in.before.bias, j);
          out.aux[bit] = sum > 0;
          sum = std::max(sum, 0.0);
          break;
        case Epilogue::drelu_bgrad:
          if (!in.before.aux[bit]) sum = 0;
          out.bias[static_cast<std::size_t>(j)] += sum;
          break;
        default: break;
      }
      out.d[static_cast<std::size_t>(i * m.ldd + j)] = sum;
    }
  }
  for (std::int64_t j = 0; m.epilogue == Epilogue::bgrad_b && j < m.n; ++j) {
    double sum = 0;
    for (std::int64_t l = 0; l < m.k; ++l) sum += b(l, j);
    out.bias[static_cast<std::size_t>(j)] = sum;
  }
  for (std::int64_t i = 0; m.epilogue == Epilogue::bgrad_a && i < m.m; ++i) {
    double sum = 0;
    for (std::int64_t l = 0; l < m.k; ++l) sum += a(i, l);
    out.bias[static_cast<std::size_t>(i)] = sum;
  }
  return out;
}

// What cublasLt.h documents for its column-major D = op(A) op(B): bias and its gradients by rows of
// D, BGRADA by rows of op(A), BGRADB by columns of op(B), the mask by columns of D.
Result as_cublas_does(const CublasLtProblem& p, const Operands& in, std::int64_t aux_leading) {
  Result out = in.before;
  const Numbers& stored_a = in.b;
  const Numbers& stored_b = in.a;
  const auto rows = static_cast<std::int64_t>(p.d.rows);
  const auto columns = static_cast<std::int64_t>(p.d.columns);
  const auto inner =
      static_cast<std::int64_t>(p.transpose_a == CUBLAS_OP_N ? p.a.columns : p.a.rows);
  const auto a = [&](std::int64_t i, std::int64_t l) {
    return at(stored_a, p.transpose_a == CUBLAS_OP_N ? l * p.a.leading + i : i * p.a.leading + l);
  };
  const auto b = [&](std::int64_t l, std::int64_t j) {
    return at(stored_b, p.transpose_b == CUBLAS_OP_N ? j * p.b.leading + l : l * p.b.leading + j);
  };
  if (p.epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD) std::ranges::fill(out.bias, 0.0);
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) {
      double sum = 0;
      for (std::int64_t l = 0; l < inner; ++l) sum += a(i, l) * b(l, j);
      const auto bit = static_cast<std::size_t>(j * aux_leading + i);
      if ((p.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) sum += at(in.before.bias, i);
      if (p.epilogue == CUBLASLT_EPILOGUE_RELU_AUX_BIAS) out.aux[bit] = sum > 0;
      if ((p.epilogue & CUBLASLT_EPILOGUE_RELU) != 0) sum = std::max(sum, 0.0);
      if (p.epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD) {
        if (!in.before.aux[bit]) sum = 0;
        out.bias[static_cast<std::size_t>(i)] += sum;
      }
      out.d[static_cast<std::size_t>(j * p.d.leading + i)] = sum;
    }
  }
  for (std::int64_t i = 0; p.epilogue == CUBLASLT_EPILOGUE_BGRADA && i < rows; ++i) {
    double sum = 0;
    for (std::int64_t l = 0; l < inner; ++l) sum += a(i, l);
    out.bias[static_cast<std::size_t>(i)] = sum;
  }
  for (std::int64_t j = 0; p.epilogue == CUBLASLT_EPILOGUE_BGRADB && j < columns; ++j) {
    double sum = 0;
    for (std::int64_t l = 0; l < inner; ++l) sum += b(l, j);
    out.bias[static_cast<std::size_t>(j)] = sum;
  }
  return out;
}

}  // namespace

TEST_CASE("A row-major product in cuBLASLt's words is the same product, with every epilogue") {
  for (const auto epilogue :
       {Epilogue::none, Epilogue::bias, Epilogue::relu_bias, Epilogue::relu_aux_bias,
        Epilogue::drelu_bgrad, Epilogue::bgrad_b, Epilogue::bgrad_a}) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        Matmul m{.m = 5, .n = 7, .k = 3, .transpose_a = transpose_a, .transpose_b = transpose_b};
        m.lda = (transpose_a ? m.m : m.k) + 2;
        m.ldb = (transpose_b ? m.k : m.n) + 1;
        m.ldd = m.n + 3;
        m.epilogue = epilogue;
        m.ld_aux = 128;
        INFO(to_string(m));
        const Operands in = operands_of(m);
        const Result want = expected(m, in);
        const Result got = as_cublas_does(problem_of(m), in, m.ld_aux);
        CHECK(got.d == want.d);  // sums of the same few numbers in the same order
        CHECK(got.bias == want.bias);
        CHECK(got.aux == want.aux);
      }
    }
  }
}

TEST_CASE("A product asks for the types and the arithmetic of its precision") {
  Matmul m{.m = 8, .n = 8, .k = 8, .lda = 8, .ldb = 8, .ldd = 8};
  m.precision = nn::Precision::fp16;
  CHECK(problem_of(m).type == CUDA_R_16F);
  CHECK(problem_of(m).output_type == CUDA_R_16F);
  CHECK(problem_of(m).compute == CUBLAS_COMPUTE_32F);
  m.float_output = true;
  CHECK(problem_of(m).output_type == CUDA_R_32F);
  m.precision = nn::Precision::bf16;
  CHECK(problem_of(m).type == CUDA_R_16BF);
  m.precision = nn::Precision::fp32;
  CHECK(problem_of(m).type == CUDA_R_32F);
  CHECK(problem_of(m).compute == CUBLAS_COMPUTE_32F);
  m.precision = nn::Precision::tf32;
  CHECK(problem_of(m).type == CUDA_R_32F);
  CHECK(problem_of(m).compute == CUBLAS_COMPUTE_32F_FAST_TF32);
}

TEST_CASE("A product whose rows overlap, or whose mask is too narrow, is refused") {
  Matmul m{.m = 4, .n = 130, .k = 4, .lda = 4, .ldb = 130, .ldd = 130};
  CHECK_NOTHROW(problem_of(m));
  m.ldd = 129;
  CHECK_THROWS_AS(problem_of(m), std::logic_error);
  m.ldd = 130;
  m.epilogue = Epilogue::relu_aux_bias;
  for (const std::int64_t bits : {0, 128, 200}) {
    m.ld_aux = bits;
    CHECK_THROWS_AS(problem_of(m), std::logic_error);
  }
  m.ld_aux = 256;
  CHECK_NOTHROW(problem_of(m));
}

TEST_CASE("Of plans that take about the same time the first is chosen") {
  CHECK(choose(std::vector{3.0, 2.0, 1.0}) == 2);
  CHECK(choose(std::vector{1.04, 1.0, 1.2}) == 0);
  CHECK(choose(std::vector{1.06, 1.02, 1.0}) == 1);
  CHECK(choose(std::vector{5.0}) == 0);
}

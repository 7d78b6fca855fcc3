// Matrix products, and what convolutions use of them too.

#include <millrace/gpu/fake/host_work.h>

#include <millrace/core/error.h>
#include <millrace/core/half.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace millrace::gpu::recording {
namespace {

/// To the 10 bits of mantissa that tensor cores take, to nearest even.
float rounded_to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7F800000U) == 0x7F800000U) return value;
  return std::bit_cast<float>((bits + 0xFFFU + ((bits >> 13) & 1U)) & ~0x1FFFU);
}

constexpr std::size_t kTileRows = 4, kTileColumns = 16;
constexpr std::int64_t kDepth = 256;  // sums of this length are made apart, then added

/// A tile of C, its sums in registers where rows and columns are constants, so that the compiler
/// unrolls the loops; else what the tiles leave over at the edges.
void multiply_tile(auto rows, auto columns, std::int64_t n, std::int64_t k, std::int64_t depth,
                   const float* a, const float* b, float* c) {
  std::array<std::array<float, kTileColumns>, kTileRows> sums{};
  for (std::int64_t p = 0; p < depth; ++p) {
    for (std::size_t i = 0; i < rows; ++i) {
      const float factor = a[static_cast<std::int64_t>(i) * k + p];
      for (std::size_t j = 0; j < columns; ++j) {
        sums[i][j] += factor * b[p * n + static_cast<std::int64_t>(j)];
      }
    }
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      c[static_cast<std::int64_t>(i) * n + static_cast<std::int64_t>(j)] += sums[i][j];
    }
  }
}

}  // namespace

float read_value(DType type, const void* memory, std::int64_t index) {
  if (type == DType::f32) return static_cast<const float*>(memory)[index];
  const std::uint16_t bits = static_cast<const std::uint16_t*>(memory)[index];
  return type == DType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
}

std::vector<float> read_operand(nn::Precision precision, const void* memory, const Rows& layout) {
  const DType type = nn::storage_of(precision);
  std::vector<float> values(static_cast<std::size_t>(layout.rows * layout.columns));
  float* to = values.data();
  for (std::int64_t row = 0; row < layout.rows; ++row) {
    for (std::int64_t column = 0; column < layout.columns; ++column) {
      *to++ = read_value(type, memory, row * layout.stride + column);
    }
  }
  if (precision == nn::Precision::tf32) {
    std::transform(values.begin(), values.end(), values.begin(), rounded_to_tf32);
  }
  return values;
}

std::vector<float> transposed(const std::vector<float>& x, std::int64_t rows,
                              std::int64_t columns) {
  std::vector<float> y(x.size());
  const float* from = x.data();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      y[static_cast<std::size_t>(column * rows + row)] = *from++;
    }
  }
  return y;
}

void write_rows(DType type, const float* values, void* memory, const Rows& layout) {
  for (std::int64_t row = 0; row < layout.rows; ++row) {
    const float* const from = values + row * layout.columns;
    if (type == DType::f32) {
      float* const to = static_cast<float*>(memory) + row * layout.stride;
      std::copy(from, from + layout.columns, to);
      continue;
    }
    auto* const to = static_cast<std::uint16_t*>(memory) + row * layout.stride;
    std::transform(from, from + layout.columns, to,
                   type == DType::f16 ? f16_from_float : bf16_from_float);
  }
}

void multiply_add(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b,
                  float* c) {
  for (std::int64_t p = 0; p < k; p += kDepth) {
    const std::int64_t depth = std::min(kDepth, k - p);
    for (std::int64_t j = 0; j < n; j += std::int64_t{kTileColumns}) {
      const std::size_t columns = std::min(kTileColumns, static_cast<std::size_t>(n - j));
      for (std::int64_t i = 0; i < m; i += std::int64_t{kTileRows}) {
        const std::size_t rows = std::min(kTileRows, static_cast<std::size_t>(m - i));
        const auto multiply = [&](auto r, auto s) {
          multiply_tile(r, s, n, k, depth, a + i * k + p, b + p * n + j, c + i * n + j);
        };
        if (rows == kTileRows && columns == kTileColumns) {
          multiply(std::integral_constant<std::size_t, kTileRows>{},
                   std::integral_constant<std::size_t, kTileColumns>{});
        } else {
          multiply(rows, columns);
        }
      }
    }
  }
}

namespace {

Rows stored_a(const Matmul& m) {
  return m.transpose_a ? Rows{m.k, m.m, m.lda} : Rows{m.m, m.k, m.lda};
}
Rows stored_b(const Matmul& m) {
  return m.transpose_b ? Rows{m.n, m.k, m.ldb} : Rows{m.k, m.n, m.ldb};
}
Rows stored_d(const Matmul& m) {
  return {m.m, m.n, m.ldd};
}

DType output_type(const Matmul& m) {
  return m.float_output ? DType::f32 : nn::storage_of(m.precision);
}
bool reads_bias(const Matmul& m) {
  return m.epilogue == Epilogue::bias || m.epilogue == Epilogue::relu_bias ||
         m.epilogue == Epilogue::relu_aux_bias;
}
bool writes_bias(const Matmul& m) {
  return m.epilogue == Epilogue::drelu_bgrad || m.epilogue == Epilogue::bgrad_a ||
         m.epilogue == Epilogue::bgrad_b;
}
std::int64_t bias_elements(const Matmul& m) {
  return m.epilogue == Epilogue::bgrad_a ? m.m : m.n;
}

/// A bit an element, rows of ld_aux bits.
struct AuxBits {
  std::uint8_t* bytes;
  std::int64_t stride;  // bytes of a row
  [[nodiscard]] bool get(std::int64_t row, std::int64_t column) const {
    return ((bytes[row * stride + column / 8] >> (column % 8)) & 1) != 0;
  }
  void set(std::int64_t row, std::int64_t column) const {
    std::uint8_t& byte = bytes[row * stride + column / 8];
    byte = static_cast<std::uint8_t>(byte | (1U << (column % 8)));
  }
};

void add_bias(const Matmul& m, const MatmulMemory& memory, std::vector<float>& product) {
  const DType type = nn::storage_of(m.precision);
  const AuxBits aux{static_cast<std::uint8_t*>(memory.aux), m.ld_aux / 8};
  if (m.epilogue == Epilogue::relu_aux_bias) std::fill_n(aux.bytes, m.m * aux.stride, 0);
  auto value = product.begin();
  for (std::int64_t row = 0; row < m.m; ++row) {
    for (std::int64_t column = 0; column < m.n; ++column, ++value) {
      *value += read_value(type, memory.bias, column);
      if (m.epilogue == Epilogue::bias) continue;
      if (m.epilogue == Epilogue::relu_aux_bias && *value > 0) aux.set(row, column);
      if (*value < 0) *value = 0;
    }
  }
}

void mask(const Matmul& m, const MatmulMemory& memory, std::vector<float>& product) {
  const AuxBits aux{static_cast<std::uint8_t*>(memory.aux), m.ld_aux / 8};
  auto value = product.begin();
  for (std::int64_t row = 0; row < m.m; ++row) {
    for (std::int64_t column = 0; column < m.n; ++column, ++value) {
      if (!aux.get(row, column)) *value = 0;
    }
  }
}

/// Of [rows][columns].
void write_column_sums(nn::Precision precision, const std::vector<float>& values,
                       std::int64_t columns, void* bias) {
  std::vector<double> sums(static_cast<std::size_t>(columns));
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums[i % sums.size()] += static_cast<double>(values[i]);
  }
  const std::vector<float> rounded(sums.begin(), sums.end());
  write_rows(nn::storage_of(precision), rounded.data(), bias, {1, columns, columns});
}

}  // namespace

void validate(const Matmul& m) {
  const bool fits = m.m > 0 && m.n > 0 && m.k > 0 && m.lda >= stored_a(m).columns &&
                    m.ldb >= stored_b(m).columns && m.ldd >= m.n;
  if (!fits) throw Error(concat("cublas: ", to_string(m), ": the sizes do not fit together"));
  if (has_aux(m.epilogue) && (m.ld_aux < m.n || m.ld_aux % 128 != 0)) {
    throw Error(concat("cublas: ", to_string(m), ": rows of aux have ", m.ld_aux,
                       " bits; a multiple of 128 that is at least n is needed"));
  }
}

std::vector<Access> accesses_of(const Matmul& m, const MatmulMemory& memory) {
  const std::size_t element = size_of(nn::storage_of(m.precision));
  const auto bytes = [](std::int64_t elements, std::size_t size) {
    return static_cast<std::size_t>(elements) * size;
  };
  std::vector<Access> accesses{
      {memory.a, bytes(stored_a(m).elements(), element), false},
      {memory.b, bytes(stored_b(m).elements(), element), false},
      {memory.d, bytes(stored_d(m).elements(), size_of(output_type(m))), true}};
  if (reads_bias(m) || writes_bias(m)) {
    accesses.push_back({memory.bias, bytes(bias_elements(m), element), writes_bias(m)});
  }
  if (has_aux(m.epilogue)) {
    accesses.push_back(
        {memory.aux, bytes(m.m * m.ld_aux, 1) / 8, m.epilogue == Epilogue::relu_aux_bias});
  }
  return accesses;
}

void run_on_host(const Matmul& m, const MatmulMemory& memory) {
  auto a = read_operand(m.precision, memory.a, stored_a(m));
  if (m.transpose_a) a = transposed(a, m.k, m.m);
  auto b = read_operand(m.precision, memory.b, stored_b(m));
  if (m.transpose_b) b = transposed(b, m.n, m.k);
  std::vector<float> product(static_cast<std::size_t>(m.m * m.n));
  multiply_add(m.m, m.n, m.k, a.data(), b.data(), product.data());
  if (reads_bias(m)) add_bias(m, memory, product);
  if (m.epilogue == Epilogue::drelu_bgrad) {
    mask(m, memory, product);
    write_column_sums(m.precision, product, m.n, memory.bias);
  }
  if (m.epilogue == Epilogue::bgrad_b) write_column_sums(m.precision, b, m.n, memory.bias);
  if (m.epilogue == Epilogue::bgrad_a) {
    write_column_sums(m.precision, transposed(a, m.m, m.k), m.m, memory.bias);
  }
  write_rows(output_type(m), product.data(), memory.d, stored_d(m));
}

}  // namespace millrace::gpu::recording

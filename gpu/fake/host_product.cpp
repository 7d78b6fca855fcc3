#include <millrace/gpu/fake/host_work.h>

#include <millrace/core/half.h>

#include <algorithm>
#include <array>
#include <bit>
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

}  // namespace millrace::gpu::recording

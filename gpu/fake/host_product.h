#pragma once
// Float32 arithmetic behind the recording device's products: storage types to float32 and back, and
// one matrix product.

#include <millrace/core/shape.h>
#include <millrace/nn/precision.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::gpu::recording {

/// How a matrix or tensor lies in memory: `rows` of `columns` values, `stride` elements apart.
struct Rows {
  std::int64_t rows = 0, columns = 0, stride = 0;
  [[nodiscard]] std::int64_t elements() const {
    return rows == 0 ? 0 : (rows - 1) * stride + columns;
  }
};

/// Operands of a product: [rows][columns], tightly packed. TF32 loses its low bits here.
[[nodiscard]] std::vector<float> read_operand(nn::Precision precision, const void* memory,
                                              const Rows& layout);
[[nodiscard]] std::vector<float> transposed(const std::vector<float>& x, std::int64_t rows,
                                            std::int64_t columns);
/// The values of f32, f16 or bf16 memory, and back: rounded once, to nearest even.
[[nodiscard]] float read_value(DType type, const void* memory, std::int64_t index);
void write_rows(DType type, const float* values, void* memory, const Rows& layout);

/// C [m][n] += A [m][k] B [k][n], all tightly packed.
void multiply_add(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b,
                  float* c);

}  // namespace millrace::gpu::recording

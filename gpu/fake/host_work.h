#pragma once
// Convolutions and matrix products as the recording device does them, and the memory that they
// touch. Sums are float32 (float64 across the samples of a batch), results are rounded once.

#include <millrace/core/shape.h>
#include <millrace/gpu/launch.h>
#include <millrace/gpu/operations.h>

#include <cstdint>
#include <vector>

namespace millrace::gpu::recording {

/// Without the workspace.
[[nodiscard]] std::vector<Access> accesses_of(const Convolution& convolution,
                                              const ConvolutionMemory& memory);
[[nodiscard]] std::vector<Access> accesses_of(const Matmul& matmul, const MatmulMemory& memory);
void run_on_host(const Convolution& convolution, const ConvolutionMemory& memory);
void run_on_host(const Matmul& matmul, const MatmulMemory& memory);

/// Throw Error unless sizes fit together as the library requires.
void validate(const Convolution& convolution);
void validate(const Matmul& matmul);

// What they are made of: storage types to float32 and back, and one matrix product.

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

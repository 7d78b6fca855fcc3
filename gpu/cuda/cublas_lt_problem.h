#pragma once
// A matrix product as cuBLASLt describes it.

#include <millrace/gpu/operations.h>

#include <cublasLt.h>

#include <cstdint>

namespace millrace::gpu::detail {

/// A stored matrix: column-major, `leading` elements from a column to the next.
struct ColumnMajor {
  std::uint64_t rows = 0, columns = 0;
  std::int64_t leading = 0;
};

/// cuBLASLt stores by columns, and a row-major D [m][n] read by columns is D^T (n rows, m columns).
/// From D^T = op(B)^T op(A)^T:
/// - cuBLASLt's A is our B, its B is our A, its m our n and its n our m; a stored matrix needs no
///   copy, because reading it by columns transposes it by itself, so the transpositions stay those
///   of the row-major operands.
/// - Its bias has one value a row of D^T: one a column of D, as wanted. The sums of DRELU_BGRAD run
///   along its rows of D^T: sums of D's columns.
/// - Its mask has a column of `leading` bits a column of D^T: a row of ld_aux bits a row of D.
/// - BGRADA sums its A over k, which gives a value a row of D^T: the columns of our B, bgrad_b.
///   BGRADB sums its B over k, a value a column of D^T: the rows of our op(A), bgrad_a.
struct CublasLtProblem {
  ColumnMajor a, b, d;
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cudaDataType_t type = CUDA_R_32F;         ///< of A, B
  cudaDataType_t output_type = CUDA_R_32F;  ///< of D and the bias
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  bool has_bias = false, has_aux = false;
};

/// Throws std::logic_error for sizes or leading dimensions that no matrix has.
[[nodiscard]] CublasLtProblem problem_of(const Matmul& matmul);

}  // namespace millrace::gpu::detail

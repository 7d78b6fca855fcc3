#pragma once
// A matrix product as cuBLASLt is asked for it, in row-major words: D [m][n] = op(A) op(B), with
// leading dimensions in elements, float32 inside.

#include <millrace/core/bytes.h>
#include <millrace/nn/precision.h>

#include <cstdint>
#include <string>

namespace millrace::gpu {

/// What is done to the product before it is written. `bias` has one value a column of D.
enum class Epilogue {
  none,
  bias,           ///< D = P + bias
  relu_bias,      ///< D = max(P + bias, 0)
  relu_aux_bias,  ///< the same, and aux gets a bit an element: P + bias > 0
  drelu_bgrad,    ///< D = P where aux has its bit, else 0; bias gets the sums of D's columns
  bgrad_b,        ///< D = P; bias gets the sums of the columns of B ([k][n]): dW [m][n] = A B, where
                  ///< B holds the gradient whose sums are the gradient of the bias
  bgrad_a,        ///< the same for weights that are stored transposed: bias [m] gets the sums of the
                  ///< rows of op(A) ([m][k]), where op(A) is that gradient, transposed
};

struct Matmul {
  nn::Precision precision = nn::Precision::fp16;  ///< of A, B, bias
  bool float_output = false;                      ///< D is float32 in every precision (logits)
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false;  ///< A is stored [k][m]
  bool transpose_b = false;  ///< B is stored [n][k]
  std::int64_t lda = 0, ldb = 0, ldd = 0;  ///< of the stored matrices
  Epilogue epilogue = Epilogue::none;
  std::int64_t ld_aux = 0;  ///< in bits, a multiple of 128: aux is [m][ld_aux] bits, low bit first

  friend bool operator==(const Matmul&, const Matmul&) = default;
};
[[nodiscard]] const char* to_string(Epilogue epilogue) noexcept;
[[nodiscard]] std::string to_string(const Matmul& matmul);

struct MatmulMemory {
  const void* a = nullptr;
  const void* b = nullptr;
  void* d = nullptr;
  void* bias = nullptr;  ///< read, or written by drelu_bgrad, bgrad_a, bgrad_b; in the storage type
  void* aux = nullptr;
  void* workspace = nullptr;
};

class MatmulPlan {
 public:
  virtual ~MatmulPlan() = default;
  [[nodiscard]] virtual const Matmul& matmul() const = 0;
  [[nodiscard]] virtual Bytes workspace() const = 0;
  [[nodiscard]] virtual std::string implementation() const = 0;
};

}  // namespace millrace::gpu

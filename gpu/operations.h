#pragma once
// The operations of libraries: one pass of a convolution as cuDNN takes it, a matrix product as
// cuBLASLt takes it, and the plans of a device for both.

#include <millrace/core/bytes.h>
#include <millrace/nn/precision.h>
#include <millrace/nn/window.h>

#include <cstdint>
#include <string>

namespace millrace::gpu {

/// One pass of a convolution. Tensors are NHWC; kernels are [filters][rows][columns][channels /
/// groups]; channels, filters and groups are physical, padded by the caller.
struct Convolution {
  enum class Pass { forward, backward_data, backward_weights };

  Pass pass = Pass::forward;
  nn::Precision precision = nn::Precision::fp16;
  std::int64_t batch = 0, height = 0, width = 0, channels = 0;
  std::int64_t out_height = 0, out_width = 0, filters = 0;
  std::int64_t rows = 0, columns = 0;
  nn::Pair stride{1};
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;  ///< padding
  nn::Pair dilation{1};
  std::int64_t groups = 1;  ///< of which each makes its share of the filters of its channels
  /// Forward only: y = conv(x, w) + bias[filters], then max(y, 0). The bias has the storage type.
  bool bias = false, relu = false;

  friend bool operator==(const Convolution&, const Convolution&) = default;
};
/// "conv forward fp16 32x150x150x8 -> 148x148x32, 3x3/1, bias, relu"; dilation and groups where
/// there are any.
[[nodiscard]] std::string to_string(const Convolution& convolution);

/// x, w, y are those of the forward pass or their gradients: a pass writes y, x or w.
struct ConvolutionMemory {
  void* x = nullptr;
  void* w = nullptr;
  void* y = nullptr;
  const void* bias = nullptr;
  void* workspace = nullptr;
};

/// What is done to a product before it is written. `bias` has one value a column of D.
enum class Epilogue {
  none,
  bias,           ///< D = P + bias
  relu_bias,      ///< D = max(P + bias, 0)
  relu_aux_bias,  ///< the same, and aux gets a bit an element: P + bias > 0
  drelu_bgrad,    ///< D = P where aux has its bit, else 0; bias gets the sums of D's columns
  bgrad_b,  ///< D = P; bias gets the sums of the columns of B ([k][n]): dW [m][n] = A B, where
            ///< B holds the gradient whose sums are the gradient of the bias
  bgrad_a,  ///< the same for weights that are stored transposed: bias [m] gets the sums of the
            ///< rows of op(A) ([m][k]), where op(A) is that gradient, transposed
};

/// In row-major words: D [m][n] = op(A) op(B), with leading dimensions in elements, float32 inside.
struct Matmul {
  nn::Precision precision = nn::Precision::fp16;  ///< of A, B, bias
  bool float_output = false;                      ///< D is float32 in every precision (logits)
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false;                ///< A is stored [k][m]
  bool transpose_b = false;                ///< B is stored [n][k]
  std::int64_t lda = 0, ldb = 0, ldd = 0;  ///< of the stored matrices
  Epilogue epilogue = Epilogue::none;
  std::int64_t ld_aux = 0;  ///< in bits, a multiple of 128: aux is [m][ld_aux] bits, low bit first

  friend bool operator==(const Matmul&, const Matmul&) = default;
};
[[nodiscard]] const char* to_string(Epilogue epilogue) noexcept;
/// Whether signs of sums are written to or read from aux.
[[nodiscard]] constexpr bool has_aux(Epilogue epilogue) noexcept {
  return epilogue == Epilogue::relu_aux_bias || epilogue == Epilogue::drelu_bgrad;
}
[[nodiscard]] std::string to_string(const Matmul& matmul);

struct MatmulMemory {
  const void* a = nullptr;
  const void* b = nullptr;
  void* d = nullptr;
  void* bias = nullptr;  ///< read, or written by drelu_bgrad, bgrad_a, bgrad_b; in the storage type
  void* aux = nullptr;
  void* workspace = nullptr;
};

/// How a device does an operation. Made by Device::plan, run by the same device.
template <class Operation>
class OperationPlan {
 public:
  virtual ~OperationPlan() = default;
  [[nodiscard]] virtual const Operation& operation() const = 0;
  [[nodiscard]] virtual Bytes workspace() const = 0;
  [[nodiscard]] virtual std::string implementation() const = 0;  ///< what the library calls it
};
using ConvolutionPlan = OperationPlan<Convolution>;
using MatmulPlan = OperationPlan<Matmul>;

}  // namespace millrace::gpu

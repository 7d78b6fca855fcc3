#pragma once
// One pass of a convolution, as cuDNN is asked for it. Tensors are NHWC; kernels are
// [filters][rows][columns][channels]; channels and filters are physical, padded by the caller.

#include <millrace/core/bytes.h>
#include <millrace/nn/precision.h>

#include <cstdint>
#include <string>

namespace millrace::gpu {

struct Convolution {
  enum class Pass { forward, backward_data, backward_weights };

  Pass pass = Pass::forward;
  nn::Precision precision = nn::Precision::fp16;
  std::int64_t batch = 0, height = 0, width = 0, channels = 0;
  std::int64_t out_height = 0, out_width = 0, filters = 0;
  std::int64_t rows = 0, columns = 0, stride = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;  ///< padding
  /// Forward only: y = conv(x, w) + bias[filters], then max(y, 0). The bias has the storage type.
  bool bias = false, relu = false;

  friend bool operator==(const Convolution&, const Convolution&) = default;
};
/// "conv forward fp16 32x150x150x8 -> 148x148x32, 3x3/1, bias, relu".
[[nodiscard]] std::string to_string(const Convolution& convolution);

/// x, w, y are those of the forward pass or their gradients: a pass writes y, x or w.
struct ConvolutionMemory {
  void* x = nullptr;
  void* w = nullptr;
  void* y = nullptr;
  const void* bias = nullptr;
  void* workspace = nullptr;
};

/// How a device does a convolution. Made by Device::plan, run by the same device.
class ConvolutionPlan {
 public:
  virtual ~ConvolutionPlan() = default;
  [[nodiscard]] virtual const Convolution& convolution() const = 0;
  [[nodiscard]] virtual Bytes workspace() const = 0;
  [[nodiscard]] virtual std::string implementation() const = 0;  ///< what the library calls it
};

}  // namespace millrace::gpu

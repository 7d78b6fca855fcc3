#pragma once
// The precision in which an engine computes: a policy of the engine, not a property of a model.
//
// With fp16 and bf16 these are rounded to 16 bits, to nearest even, once where an operation writes
// them: the input, the working copies of kernels and biases, activations, gradients of activations,
// and gradients of parameters. These stay float32: the parameters themselves (the master copy),
// batch norm's scale, shift and statistics, sums inside an operation, the logits, the loss, the
// optimizer's state and update. A convolution or dense layer with its bias and the ReLU after it
// rounds once. fp16 multiplies the loss by a scale (loss_scale.h).

#include <millrace/core/shape.h>

#include <string_view>

namespace millrace::nn {

enum class Precision {
  fp32,
  tf32,  ///< float32 in memory; products with the 10 bits of mantissa of NVIDIA's tensor cores
  fp16,
  bf16
};

/// "fp32", "tf32", "fp16", "bf16". Throws UsageError that lists them.
[[nodiscard]] Precision precision_named(std::string_view name);
[[nodiscard]] const char* to_string(Precision precision) noexcept;
/// What activations and working copies are stored in: f32, f16 or bf16.
[[nodiscard]] DType storage_of(Precision precision) noexcept;

}  // namespace millrace::nn

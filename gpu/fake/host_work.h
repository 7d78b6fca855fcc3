#pragma once
// Convolutions and matrix products as the recording device does them, and the memory that they
// touch. Sums are float32 (float64 across the samples of a batch), results are rounded once.

#include <millrace/gpu/convolution.h>
#include <millrace/gpu/launch.h>
#include <millrace/gpu/matmul.h>

#include <vector>

namespace millrace::gpu::recording {

/// Without the workspace.
[[nodiscard]] std::vector<Access> accesses_of(const Convolution& convolution,
                                              const ConvolutionMemory& memory);
[[nodiscard]] std::vector<Access> accesses_of(const Matmul& matmul, const MatmulMemory& memory);
void run_on_host(const Convolution& convolution, const ConvolutionMemory& memory);
void run_on_host(const Matmul& matmul, const MatmulMemory& memory);

/// Throw Error unless sizes fit together as the library wants them.
void validate(const Convolution& convolution);
void validate(const Matmul& matmul);

}  // namespace millrace::gpu::recording

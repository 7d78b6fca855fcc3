#pragma once
// The part of cuDNN's graph API that convolutions need. Only cudnn_plans.cpp includes
// cudnn-frontend, which takes a minute to compile; cuDNN itself is opened at run
// time.

#include <millrace/core/bytes.h>
#include <millrace/gpu/operations.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace millrace::gpu {

/// A way to do a convolution, as cuDNN describes it. Steps that were captured with a plan must not
/// outlive it: it owns the code of kernels that were compiled at run time.
class CudnnPlan : public ConvolutionPlan {
 public:
  [[nodiscard]] virtual bool tensor_cores() const = 0;
  [[nodiscard]] virtual bool deterministic() const = 0;
  [[nodiscard]] virtual bool compiled_at_run_time() const = 0;
  [[nodiscard]] virtual std::string serialized() const = 0;  ///< JSON
};

/// cuDNN for one device. Thread-safe.
class Cudnn {
 public:
  /// For the current CUDA device. Throws Error where cuDNN cannot be opened or used.
  [[nodiscard]] static std::unique_ptr<Cudnn> for_current_device(int capability);
  /// For a device that need not be here, from describe_device(); run() is refused.
  [[nodiscard]] static std::unique_ptr<Cudnn> for_description(const std::string& device_json,
                                                              int capability);
  virtual ~Cudnn() = default;

  /// Ways to do it, at most `most`, in the order in which cuDNN expects them to be fast; those that
  /// are compiled at run time last. All are deterministic, need no more than `workspace`, and add
  /// up in float32; those of fp16, bf16 and tf32 use tensor cores, those of fp32 do not round their
  /// input to TF32. Empty: there is none. Throws Error for what cuDNN refuses as no convolution.
  /// With `name`, only the plan that bears it.
  [[nodiscard]] virtual std::vector<std::unique_ptr<CudnnPlan>> plans(
      const Convolution& convolution, Bytes workspace, std::size_t most,
      const std::string& name = {}) = 0;
  /// Queues it in a cudaStream_t.
  virtual void run(void* stream, const CudnnPlan& plan, const ConvolutionMemory& memory) = 0;
};

/// What cuDNN knows of a CUDA device, as JSON for for_description(). Throws Error without
/// cuDNN 9.8.
[[nodiscard]] std::string describe_device(int index);

/// "9.19.0": of the library that is used, not of the headers. Throws Error without one.
[[nodiscard]] std::string cudnn_version();

}  // namespace millrace::gpu

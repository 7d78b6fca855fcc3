#pragma once
// The plans that programs share: a convolution or product that comes up again, in another program
// or another model, is not planned again.

#include <millrace/gpu/convolution.h>
#include <millrace/gpu/device.h>
#include <millrace/gpu/matmul.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace millrace::gpu {

/// Who says how an operation is done. Plans live as long as this does. Thread-safe.
class Plans {
 public:
  virtual ~Plans() = default;
  /// Null where there is no way to do just this.
  [[nodiscard]] virtual const ConvolutionPlan* find(const Convolution& convolution) = 0;
  [[nodiscard]] virtual const MatmulPlan* find(const Matmul& matmul) = 0;
};

/// What a device offers.
class DevicePlans : public Plans {
 public:
  /// `workspace` is the most that one operation may have. The device outlives this.
  DevicePlans(Device& device, Bytes workspace) : device_(device), workspace_(workspace) {}
  [[nodiscard]] const ConvolutionPlan* find(const Convolution& convolution) override;
  [[nodiscard]] const MatmulPlan* find(const Matmul& matmul) override;

 private:
  Device& device_;
  Bytes workspace_;
  std::mutex mutex_;  // guards the rest
  std::vector<std::pair<Convolution, std::unique_ptr<ConvolutionPlan>>> convolutions_;
  std::vector<std::pair<Matmul, std::unique_ptr<MatmulPlan>>> matmuls_;
};

/// Without a device: every operation can be done, and takes the workspace that it may have. Such
/// plans are for counting memory; no device runs them.
class AssumedPlans : public Plans {
 public:
  explicit AssumedPlans(Bytes workspace);
  ~AssumedPlans() override;
  [[nodiscard]] const ConvolutionPlan* find(const Convolution& convolution) override;
  [[nodiscard]] const MatmulPlan* find(const Matmul& matmul) override;

 private:
  std::unique_ptr<ConvolutionPlan> convolution_;
  std::unique_ptr<MatmulPlan> matmul_;
};

}  // namespace millrace::gpu

#pragma once
// The plans that programs share: the same convolution or product in another program
// or model is not planned again.

#include <millrace/gpu/device.h>
#include <millrace/gpu/operations.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace millrace::gpu {

/// A plan without a library, which shows what it was made with.
template <class Operation>
class PlainPlan final : public OperationPlan<Operation> {
 public:
  PlainPlan(const Operation& operation, Bytes workspace, std::string implementation)
      : operation_(operation), workspace_(workspace), implementation_(std::move(implementation)) {}
  [[nodiscard]] const Operation& operation() const override { return operation_; }
  [[nodiscard]] Bytes workspace() const override { return workspace_; }
  [[nodiscard]] std::string implementation() const override { return implementation_; }

 private:
  Operation operation_;
  Bytes workspace_;
  std::string implementation_;
};

/// Who says how an operation is done. Plans live as long as this does. Thread-safe.
class Plans {
 public:
  virtual ~Plans() = default;
  /// Null if there is no way to do just this.
  [[nodiscard]] virtual const ConvolutionPlan* find(const Convolution& convolution) = 0;
  [[nodiscard]] virtual const MatmulPlan* find(const Matmul& matmul) = 0;
};

/// What a device offers.
class DevicePlans : public Plans {
 public:
  /// `workspace` is the most that one operation may have. The device outlives this.
  DevicePlans(Device& device, Bytes workspace) : device_(device), workspace_(workspace) {}
  [[nodiscard]] const ConvolutionPlan* find(const Convolution& convolution) override {
    return find_or_make(convolutions_, convolution);
  }
  [[nodiscard]] const MatmulPlan* find(const Matmul& matmul) override {
    return find_or_make(matmuls_, matmul);
  }

 private:
  template <class Operation>
  using Known = std::vector<std::pair<Operation, std::unique_ptr<OperationPlan<Operation>>>>;

  /// The plan of `wanted`, made at the first time it is asked for.
  template <class Operation>
  const OperationPlan<Operation>* find_or_make(Known<Operation>& known, const Operation& wanted) {
    const std::scoped_lock lock(mutex_);
    const auto same =
        std::ranges::find_if(known, [&](const auto& entry) { return entry.first == wanted; });
    if (same != known.end()) return same->second.get();
    known.emplace_back(wanted, device_.plan(wanted, workspace_));
    return known.back().second.get();
  }

  Device& device_;
  Bytes workspace_;
  std::mutex mutex_;  // guards the rest
  Known<Convolution> convolutions_;
  Known<Matmul> matmuls_;
};

/// Without a device: every operation can be done, and takes the workspace that it may have. Such
/// plans are for counting memory; no device runs them.
class AssumedPlans : public Plans {
 public:
  explicit AssumedPlans(Bytes workspace)
      : convolution_({}, workspace, "assumed"), matmul_({}, workspace, "assumed") {}
  [[nodiscard]] const ConvolutionPlan* find(const Convolution&) override { return &convolution_; }
  [[nodiscard]] const MatmulPlan* find(const Matmul&) override { return &matmul_; }

 private:
  PlainPlan<Convolution> convolution_;
  PlainPlan<Matmul> matmul_;
};

}  // namespace millrace::gpu

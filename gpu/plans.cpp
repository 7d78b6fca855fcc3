#include <millrace/gpu/plans.h>

#include <algorithm>

namespace millrace::gpu {
namespace {

/// The plan of `wanted`, made at the first time it is asked for.
template <class Operation, class Plan>
const Plan* find_or_make(std::vector<std::pair<Operation, std::unique_ptr<Plan>>>& known,
                         const Operation& wanted, Device& device, Bytes workspace) {
  const auto same =
      std::ranges::find_if(known, [&](const auto& entry) { return entry.first == wanted; });
  if (same != known.end()) return same->second.get();
  known.emplace_back(wanted, device.plan(wanted, workspace));
  return known.back().second.get();
}

struct AssumedConvolution : ConvolutionPlan {
  explicit AssumedConvolution(Bytes bytes) : size(bytes) {}
  [[nodiscard]] const Convolution& convolution() const override { return none; }
  [[nodiscard]] Bytes workspace() const override { return size; }
  [[nodiscard]] std::string implementation() const override { return "assumed"; }
  Convolution none;
  Bytes size;
};

struct AssumedMatmul : MatmulPlan {
  explicit AssumedMatmul(Bytes bytes) : size(bytes) {}
  [[nodiscard]] const Matmul& matmul() const override { return none; }
  [[nodiscard]] Bytes workspace() const override { return size; }
  [[nodiscard]] std::string implementation() const override { return "assumed"; }
  Matmul none;
  Bytes size;
};

}  // namespace

const ConvolutionPlan* DevicePlans::find(const Convolution& convolution) {
  const std::scoped_lock lock(mutex_);
  return find_or_make(convolutions_, convolution, device_, workspace_);
}

const MatmulPlan* DevicePlans::find(const Matmul& matmul) {
  const std::scoped_lock lock(mutex_);
  return find_or_make(matmuls_, matmul, device_, workspace_);
}

AssumedPlans::AssumedPlans(Bytes workspace)
    : convolution_(std::make_unique<AssumedConvolution>(workspace)),
      matmul_(std::make_unique<AssumedMatmul>(workspace)) {}
AssumedPlans::~AssumedPlans() = default;

const ConvolutionPlan* AssumedPlans::find(const Convolution&) {
  return convolution_.get();
}

const MatmulPlan* AssumedPlans::find(const Matmul&) {
  return matmul_.get();
}

}  // namespace millrace::gpu

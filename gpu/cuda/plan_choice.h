#pragma once
// The choice of cuDNN's plans: each is timed on the card, the fastest is kept on disk.

#include <millrace/gpu/cuda/cudnn_plans.h>
#include <millrace/gpu/device.h>
#include <millrace/gpu/plan_cache.h>

#include <filesystem>
#include <memory>
#include <mutex>

namespace millrace::gpu {

/// Device::plan and Device::run of a CUDA device, for convolutions. Thread-safe.
class ConvolutionPlanner {
 public:
  /// Of the device with this number. Throws Error if there is no cuDNN. `cache` as in
  /// OpenOptions::plan_cache.
  ConvolutionPlanner(int device, const DeviceFacts& facts, std::filesystem::path cache);

  /// Takes memory of the tensors' sizes while it times; where there is not enough, cuDNN's first
  /// guess is taken, not remembered, and implementation() says so. Null: cuDNN has none.
  [[nodiscard]] std::unique_ptr<ConvolutionPlan> plan(const Convolution& convolution,
                                                      Bytes workspace);
  /// `stream` is a cudaStream_t of the device, `plan` one that plan() made.
  void run(void* stream, const ConvolutionPlan& plan, const ConvolutionMemory& memory);

 private:
  int device_;
  std::unique_ptr<Cudnn> cudnn_;
  std::mutex mutex_;  // of what follows
  PlanCache cache_;
};

}  // namespace millrace::gpu

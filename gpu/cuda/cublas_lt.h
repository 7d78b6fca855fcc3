#pragma once
// Matrix products by cuBLASLt: the choice of an algorithm, and the translation from row-major to
// its column-major order.

#include <millrace/core/bytes.h>
#include <millrace/gpu/operations.h>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <mutex>
#include <vector>

namespace millrace::gpu::detail {

/// Device::plan and Device::run for matrix products, on the device that is current where it is
/// made. Thread-safe.
class CublasLt {
 public:
  /// Throws Error where cuBLASLt cannot be opened or used.
  CublasLt();

  /// The fastest of the algorithms that cuBLASLt proposes, timed on scratch memory; null: it has
  /// none. Where there is no memory for that, its first proposal, and implementation() says so.
  /// Asked again, the same: engines on one device compute the same bits.
  [[nodiscard]] std::unique_ptr<MatmulPlan> plan(const Matmul& matmul, Bytes workspace);
  void run(cudaStream_t stream, const MatmulPlan& plan, const MatmulMemory& memory) const;

 private:
  struct Destroy {
    void operator()(cublasLtHandle_t handle) const noexcept;
  };
  struct Chosen {
    Matmul matmul;
    Bytes workspace;
    std::shared_ptr<const MatmulPlan> plan;
  };
  [[nodiscard]] std::unique_ptr<MatmulPlan> choose_plan(const Matmul& matmul, Bytes workspace,
                                                        bool& is_timed) const;

  std::unique_ptr<std::remove_pointer_t<cublasLtHandle_t>, Destroy> handle_;
  std::mutex mutex_;  // of what follows
  std::vector<Chosen> chosen_;
};

}  // namespace millrace::gpu::detail

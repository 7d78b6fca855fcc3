#pragma once
// The functions of cuBLASLt that matrix products need, found when they are first asked for: a
// program that is built with CUDA starts on a machine that has no cuBLAS.

#include <cublasLt.h>

#include <string>

namespace millrace::gpu::detail {

struct CublasLtLibrary {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtGetProperty) get_property = nullptr;
  decltype(&cublasLtGetStatusName) status_name = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescInit_internal) init_matmul = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) set_matmul = nullptr;
  decltype(&cublasLtMatrixLayoutInit_internal) init_layout = nullptr;
  decltype(&cublasLtMatmulPreferenceInit_internal) init_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&cublasLtMatmulAlgoCheck) check_algorithm = nullptr;
  decltype(&cublasLtMatmulAlgoCapGetAttribute) capability = nullptr;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) configuration = nullptr;

  /// "13.0.2".
  [[nodiscard]] std::string version() const;
  /// Throws Error "cublas: WHAT: CUBLAS_STATUS_..." unless it went well.
  void check(cublasStatus_t status, const std::string& what) const;
};

/// Loaded once a process. Throws Error that says where it was looked for and what to install.
/// Thread-safe.
[[nodiscard]] const CublasLtLibrary& cublas_lt();

}  // namespace millrace::gpu::detail

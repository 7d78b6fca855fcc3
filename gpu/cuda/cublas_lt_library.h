#pragma once
// The functions of cuBLASLt that matrix products need, found when they are first asked for: a
// program that is built with CUDA starts on a machine that has no cuBLAS.

#include <millrace/gpu/cuda/libraries.h>

#include <cublasLt.h>

#include <string>

namespace millrace::gpu::detail {

/// Opened when it is made. Throws Error that says where it was looked for and what to install.
struct CublasLtLibrary {
  decltype(&cublasLtCreate) create = find("cublasLtCreate");
  decltype(&cublasLtDestroy) destroy = find("cublasLtDestroy");
  decltype(&cublasLtGetProperty) get_property = find("cublasLtGetProperty");
  decltype(&cublasLtGetStatusName) status_name = find("cublasLtGetStatusName");
  decltype(&cublasLtMatmul) matmul = find("cublasLtMatmul");
  decltype(&cublasLtMatmulDescInit_internal) init_matmul = find("cublasLtMatmulDescInit_internal");
  decltype(&cublasLtMatmulDescSetAttribute) set_matmul = find("cublasLtMatmulDescSetAttribute");
  decltype(&cublasLtMatrixLayoutInit_internal) init_layout =
      find("cublasLtMatrixLayoutInit_internal");
  decltype(&cublasLtMatmulPreferenceInit_internal) init_preference =
      find("cublasLtMatmulPreferenceInit_internal");
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference =
      find("cublasLtMatmulPreferenceSetAttribute");
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = find("cublasLtMatmulAlgoGetHeuristic");
  decltype(&cublasLtMatmulAlgoCapGetAttribute) capability =
      find("cublasLtMatmulAlgoCapGetAttribute");
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) configuration =
      find("cublasLtMatmulAlgoConfigGetAttribute");

  /// "13.0.2".
  [[nodiscard]] std::string version() const;
  /// Throws Error "cublas: WHAT: CUBLAS_STATUS_..." unless it went well.
  void check(cublasStatus_t status, const std::string& what) const;

 private:
  [[nodiscard]] static Symbol find(const char* name);
};

/// Made once a process. Thread-safe.
[[nodiscard]] const CublasLtLibrary& cublas_lt();

}  // namespace millrace::gpu::detail

#include <millrace/gpu/cuda/cublas_lt_problem.h>

#include <millrace/core/error.h>

namespace millrace::gpu::detail {
namespace {

// Rows and columns are those of the stored row-major matrix.
ColumnMajor read_by_columns(std::int64_t rows, std::int64_t columns, std::int64_t leading) {
  MILLRACE_CHECK(rows > 0 && columns > 0, "no matrix has ", rows, " rows and ", columns,
                 " columns");
  MILLRACE_CHECK(leading >= columns, "rows of ", columns, " elements overlap ", leading, " apart");
  return {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows), leading};
}

cudaDataType_t type_of(DType type) {
  switch (type) {
    case DType::f16: return CUDA_R_16F;
    case DType::bf16: return CUDA_R_16BF;
    default: return CUDA_R_32F;
  }
}

cublasLtEpilogue_t epilogue_of(Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::none: break;
    case Epilogue::bias: return CUBLASLT_EPILOGUE_BIAS;
    case Epilogue::relu_bias: return CUBLASLT_EPILOGUE_RELU_BIAS;
    case Epilogue::relu_aux_bias: return CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
    case Epilogue::drelu_bgrad: return CUBLASLT_EPILOGUE_DRELU_BGRAD;
    case Epilogue::bgrad_b: return CUBLASLT_EPILOGUE_BGRADA;
    case Epilogue::bgrad_a: return CUBLASLT_EPILOGUE_BGRADB;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

}  // namespace

CublasLtProblem problem_of(const Matmul& m) {
  CublasLtProblem problem;
  problem.a = m.transpose_b ? read_by_columns(m.n, m.k, m.ldb) : read_by_columns(m.k, m.n, m.ldb);
  problem.b = m.transpose_a ? read_by_columns(m.k, m.m, m.lda) : read_by_columns(m.m, m.k, m.lda);
  problem.d = read_by_columns(m.m, m.n, m.ldd);
  problem.transpose_a = m.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  problem.transpose_b = m.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  problem.type = type_of(nn::storage_of(m.precision));
  problem.output_type = m.float_output ? CUDA_R_32F : problem.type;
  problem.compute =
      m.precision == nn::Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  problem.epilogue = epilogue_of(m.epilogue);
  problem.has_bias = m.epilogue != Epilogue::none;
  problem.has_aux = has_aux(m.epilogue);
  MILLRACE_CHECK(!problem.has_aux || (m.ld_aux >= m.n && m.ld_aux % 128 == 0),
                 "a mask's rows are multiples of 128 bits, not ", m.ld_aux, ", and hold ", m.n);
  return problem;
}

}  // namespace millrace::gpu::detail

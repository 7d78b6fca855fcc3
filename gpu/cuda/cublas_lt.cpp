#include <millrace/gpu/cuda/cublas_lt.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cublas_lt_library.h>
#include <millrace/gpu/cuda/cublas_lt_problem.h>
#include <millrace/gpu/cuda/cuda_objects.h>

#include <algorithm>
#include <array>
#include <vector>

namespace millrace::gpu::detail {
namespace {

constexpr int kProposals = 16;
constexpr std::size_t kTimed = 8;
// What the engine's arenas keep; algorithms that need more are not proposed.
constexpr std::uint32_t kAlignment = 16;

std::size_t bytes_of(const ColumnMajor& matrix, cudaDataType_t type) {
  const std::size_t element = type == CUDA_R_32F ? 4 : 2;
  return static_cast<std::size_t>(matrix.leading) * matrix.columns * element;
}

// What cuBLASLt needs to know of a product. Plain values: copies are independent.
struct Descriptors {
  cublasLtMatmulDescOpaque_t matmul{};
  cublasLtMatrixLayoutOpaque_t a{}, b{}, d{};
  bool has_bias, has_aux;

  Descriptors(const CublasLtLibrary& lt, const CublasLtProblem& problem, std::int64_t ld_aux);

  template <class Value>
  void set(const CublasLtLibrary& lt, cublasLtMatmulDescAttributes_t attribute, Value value) {
    lt.check(lt.set_matmul(&matmul, attribute, &value, sizeof value), "description of a product");
  }
};

cublasLtMatrixLayoutOpaque_t layout(const CublasLtLibrary& lt, const ColumnMajor& matrix,
                                    cudaDataType_t type) {
  cublasLtMatrixLayoutOpaque_t layout{};
  lt.check(
      lt.init_layout(&layout, sizeof layout, type, matrix.rows, matrix.columns, matrix.leading),
      "description of a matrix");
  return layout;
}

Descriptors::Descriptors(const CublasLtLibrary& lt, const CublasLtProblem& problem,
                         std::int64_t ld_aux)
    : a(layout(lt, problem.a, problem.type)),
      b(layout(lt, problem.b, problem.type)),
      d(layout(lt, problem.d, problem.output_type)),
      has_bias(problem.has_bias),
      has_aux(problem.has_aux) {
  lt.check(lt.init_matmul(&matmul, sizeof matmul, problem.compute, CUDA_R_32F),
           "description of a product");
  set(lt, CUBLASLT_MATMUL_DESC_TRANSA, static_cast<std::int32_t>(problem.transpose_a));
  set(lt, CUBLASLT_MATMUL_DESC_TRANSB, static_cast<std::int32_t>(problem.transpose_b));
  set(lt, CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(problem.epilogue));
  // The heuristic reads alignments from these; nobody follows them.
  const auto* const aligned = reinterpret_cast<const void*>(std::uintptr_t{kAlignment});
  if (has_bias) set(lt, CUBLASLT_MATMUL_DESC_BIAS_POINTER, aligned);
  if (has_aux) {
    set(lt, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, aligned);
    set(lt, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, ld_aux);
  }
}

class Plan : public MatmulPlan {
 public:
  Plan(const Matmul& matmul, const Descriptors& descriptors,
       const cublasLtMatmulHeuristicResult_t& proposal, std::string implementation)
      : matmul_(matmul),
        descriptors_(descriptors),
        algorithm_(proposal.algo),
        workspace_{proposal.workspaceSize},
        implementation_(std::move(implementation)) {}
  [[nodiscard]] const Matmul& operation() const override { return matmul_; }
  [[nodiscard]] Bytes workspace() const override { return workspace_; }
  [[nodiscard]] std::string implementation() const override { return implementation_; }
  void add_remark(const char* remark) { implementation_ += remark; }

  void run(const CublasLtLibrary& lt, cublasLtHandle_t handle, cudaStream_t stream,
           const MatmulMemory& memory) const {
    Descriptors d = descriptors_;  // pointers are part of it, and several threads may run a plan
    if (d.has_bias) {
      d.set(lt, CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<const void*>(memory.bias));
    }
    if (d.has_aux) {
      d.set(lt, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, static_cast<const void*>(memory.aux));
    }
    const float one = 1;
    const float zero = 0;
    const cublasStatus_t status =
        lt.matmul(handle, &d.matmul, &one, memory.b, &d.a, memory.a, &d.b, &zero, memory.d, &d.d,
                  memory.d, &d.d, &algorithm_, memory.workspace, workspace_.count, stream);
    if (status != CUBLAS_STATUS_SUCCESS) lt.check(status, to_string(matmul_));
  }

 private:
  Matmul matmul_;
  Descriptors descriptors_;
  cublasLtMatmulAlgo_t algorithm_;
  Bytes workspace_;
  std::string implementation_;
};

template <class Value>
void prefer(const CublasLtLibrary& lt, cublasLtMatmulPreferenceOpaque_t& preference,
            cublasLtMatmulPreferenceAttributes_t attribute, Value value) {
  lt.check(lt.set_preference(&preference, attribute, &value, sizeof value),
           "preferences among algorithms");
}

std::vector<cublasLtMatmulHeuristicResult_t> proposals(const CublasLtLibrary& lt,
                                                       cublasLtHandle_t handle, Descriptors d,
                                                       Bytes workspace) {
  cublasLtMatmulPreferenceOpaque_t preference{};
  lt.check(lt.init_preference(&preference, sizeof preference), "preferences among algorithms");
  prefer(lt, preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace.count);
  // Parts of a sum are added up in float32, in a fixed order; the scheme that adds them up in the
  // output would round 16-bit results several times.
  prefer(lt, preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
         std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  for (const auto operand :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    prefer(lt, preference, operand, kAlignment);
  }
  std::vector<cublasLtMatmulHeuristicResult_t> found(kProposals);
  int count = 0;
  const cublasStatus_t status = lt.heuristic(handle, &d.matmul, &d.a, &d.b, &d.d, &d.d, &preference,
                                             kProposals, found.data(), &count);
  // Some combinations of types and epilogues are refused in the second way.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return {};
  lt.check(status, "choice of an algorithm");
  found.resize(static_cast<std::size_t>(count));
  std::erase_if(found, [](const auto& result) { return result.state != CUBLAS_STATUS_SUCCESS; });
  return found;
}

template <class Value>
Value property(const CublasLtLibrary& lt, const cublasLtMatmulAlgo_t& algorithm, auto attribute,
               auto get) {
  Value value = 0;
  std::size_t written = 0;
  lt.check(get(&algorithm, attribute, &value, sizeof value, &written),
           "properties of an algorithm");
  return value;
}
bool uses_tensor_cores(const CublasLtLibrary& lt, const cublasLtMatmulAlgo_t& algorithm) {
  const auto flags =
      property<std::uint64_t>(lt, algorithm, CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS, lt.capability);
  return (flags & CUBLASLT_NUMERICAL_IMPL_FLAGS_TENSOR_OP_MASK) != 0;
}
std::uint32_t configured(const CublasLtLibrary& lt, const cublasLtMatmulAlgo_t& algorithm,
                         cublasLtMatmulAlgoConfigAttributes_t attribute) {
  return property<std::uint32_t>(lt, algorithm, attribute, lt.configuration);
}

std::string name_of(const CublasLtLibrary& lt, const cublasLtMatmulAlgo_t& algorithm) {
  return concat("cublaslt:algorithm ", configured(lt, algorithm, CUBLASLT_ALGO_CONFIG_ID),
                ", tile ", configured(lt, algorithm, CUBLASLT_ALGO_CONFIG_TILE_ID), ", stages ",
                configured(lt, algorithm, CUBLASLT_ALGO_CONFIG_STAGES_ID), ", split ",
                configured(lt, algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
                uses_tensor_cores(lt, algorithm) ? "" : ", no tensor cores");
}

// Memory of the product's sizes, all zero bytes.
struct Scratch {
  Buffer a, b, d, bias, aux, workspace;

  Scratch(const Matmul& m, const CublasLtProblem& problem, const std::vector<Plan>& plans)
      : a(scratch(bytes_of(problem.b, problem.type), 0)),
        b(scratch(bytes_of(problem.a, problem.type), 0)),
        d(scratch(bytes_of(problem.d, problem.output_type), 0)),
        bias(scratch(static_cast<std::size_t>(std::max(m.m, m.n)) * 4, 0)),
        aux(scratch(problem.has_aux ? static_cast<std::size_t>(m.m * m.ld_aux / 8) : 0, 0)) {
    Bytes most;
    for (const Plan& plan : plans) most = std::max(most, plan.workspace());
    workspace = scratch(most.count, 0);
  }
  [[nodiscard]] MatmulMemory memory() const {
    return {a.data(), b.data(), d.data(), bias.data(), aux.data(), workspace.data()};
  }
};

}  // namespace

CublasLt::CublasLt() {
  const CublasLtLibrary& lt = cublas_lt();
  cublasLtHandle_t handle = nullptr;
  lt.check(lt.create(&handle), "start");
  handle_.reset(handle);
}

void CublasLt::Destroy::operator()(cublasLtHandle_t handle) const noexcept {
  (void)cublas_lt().destroy(handle);
}

// One product is timed at a time: beside another, it would show as slower than it is.
std::unique_ptr<MatmulPlan> CublasLt::plan(const Matmul& matmul, Bytes workspace) {
  const std::lock_guard lock(mutex_);
  for (const Chosen& known : chosen_) {
    if (known.matmul != matmul || known.workspace != workspace) continue;
    return std::make_unique<Plan>(dynamic_cast<const Plan&>(*known.plan));
  }
  bool is_timed = false;
  auto plan = choose_plan(matmul, workspace, is_timed);
  if (is_timed) {
    chosen_.push_back(
        {matmul, workspace, std::make_shared<Plan>(dynamic_cast<const Plan&>(*plan))});
  }
  return plan;
}

std::unique_ptr<MatmulPlan> CublasLt::choose_plan(const Matmul& matmul, Bytes workspace,
                                                  bool& is_timed) const {
  const CublasLtLibrary& lt = cublas_lt();
  const CublasLtProblem problem = problem_of(matmul);
  // cuBLASLt's bias has the type of D.
  if (problem.has_bias && problem.type != problem.output_type) return nullptr;
  const Descriptors descriptors(lt, problem, matmul.ld_aux);
  auto found = proposals(lt, handle_.get(), descriptors, workspace);
  const auto is_fast = [&](const auto& result) { return uses_tensor_cores(lt, result.algo); };
  // Small or odd matrices may have no algorithm on tensor cores: then any will do.
  if (matmul.precision != nn::Precision::fp32 && std::ranges::any_of(found, is_fast)) {
    std::erase_if(found, [&](const auto& result) { return !is_fast(result); });
  }
  if (found.size() > kTimed) found.resize(kTimed);
  if (found.empty()) return nullptr;

  std::vector<Plan> plans;
  for (const auto& proposal : found) {
    plans.emplace_back(matmul, descriptors, proposal, name_of(lt, proposal.algo));
  }
  const auto memory = if_it_fits<Scratch>(matmul, problem, plans);
  if (!memory) {
    plans.front().add_remark(" (not timed: too little memory was free)");
    return std::make_unique<Plan>(std::move(plans.front()));
  }
  const StreamHandle stream = make_stream("timing");
  check_cuda(cudaDeviceSynchronize(), "timing of a plan");  // of the zeros, in the default stream
  constexpr int kMeasurements = 3, kRuns = 5;
  std::vector<double> seconds;
  for (const Plan& plan : plans) {
    const auto run = [&] { plan.run(lt, handle_.get(), stream.get(), memory->memory()); };
    seconds.push_back(least_seconds(stream.get(), run, kMeasurements, kRuns));
  }
  is_timed = true;
  return std::make_unique<Plan>(std::move(plans[choose(seconds)]));
}

void CublasLt::run(cudaStream_t stream, const MatmulPlan& plan, const MatmulMemory& memory) const {
  counters().library_calls.fetch_add(1, std::memory_order_relaxed);
  dynamic_cast<const Plan&>(plan).run(cublas_lt(), handle_.get(), stream, memory);
}

}  // namespace millrace::gpu::detail

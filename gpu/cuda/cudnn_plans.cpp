// The one source that includes cudnn-frontend: see CMakeLists.txt for its options.
#include <millrace/gpu/cuda/cudnn_plans.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/libraries.h>

#include <cudnn_frontend.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <set>

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // cudnn-frontend looks its functions up in this library
}

namespace millrace::gpu {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using Tensor = std::shared_ptr<Tensor_attributes>;
using Note = fe::NumericalNote_t;

/// Names of the tensors in cuDNN's variant pack.
enum Uid : std::int64_t { kX = 1, kW, kY, kBias };

/// Opens cuDNN once.
void require_cudnn() {
  static const Library library = [] {
    Library found = open_library({"libcudnn.so.9"});
    fe::cudnn_dlhandle = found.handle;
    // cuDNN opens and closes NVRTC for every plan that it thinks of, and leaks what NVRTC made.
    // Kept open, it is loaded once; its absence is cuDNN's to tell.
    (void)open_library({"libnvrtc.so.13"});
    return found;
  }();
  if (!library) {
    throw Error(concat("cuDNN 9 was not found (", library.why_none,
                       "); install it, or name its folder in MILLRACE_CUDA_LIBRARIES"));
  }
}

[[noreturn]] void fail(const std::string& what, const std::string& reason) {
  throw Error(
      concat("cuDNN ", cudnn_version(), ": ", what, ": ", reason.substr(0, reason.find('\n'))));
}
void check(fe::error_t error, const std::string& what) {
  if (error.is_bad()) fail(what, error.get_message());
}
void check(cudnnStatus_t status, const std::string& what) {
  if (status != CUDNN_STATUS_SUCCESS) fail(what, fe::detail::get_error_string(status));
}

fe::DataType_t storage(nn::Precision precision) {
  switch (nn::storage_of(precision)) {
    case DType::f16: return fe::DataType_t::HALF;
    case DType::bf16: return fe::DataType_t::BFLOAT16;
    default: return fe::DataType_t::FLOAT;
  }
}

constexpr fe::BehaviorNote_t kCompiled = fe::BehaviorNote_t::RUNTIME_COMPILATION;
template <class T>
bool has(const std::vector<T>& notes, T note) {
  return std::ranges::find(notes, note) != notes.end();
}

/// The list of candidates has no public reader for notes.
struct Graph : fe::graph::Graph {
  using fe::ICudnn::plans;
};

std::string name_at(const Graph& graph, std::int64_t index) {
  std::string name;
  check(graph.get_plan_name_at_index(index, name), "name of a plan");
  return name;
}

class Plan : public CudnnPlan {
 public:
  Plan(const Convolution& convolution, std::shared_ptr<Graph> graph, std::int64_t index)
      : convolution_(convolution),
        graph_(std::move(graph)),
        plan_(graph_->plans.execution_plans.at(std::size_t(index))),
        notes_(graph_->plans.numeric_notes.at(std::size_t(index))),
        behavior_(graph_->plans.behavior_notes.at(std::size_t(index))),
        name_(name_at(*graph_, index)),
        workspace_{std::uint64_t(std::max<std::int64_t>(plan_->getWorkspaceSize(), 0))} {}
  const Convolution& operation() const override { return convolution_; }
  Bytes workspace() const override { return workspace_; }
  std::string implementation() const override { return name_; }
  bool tensor_cores() const override { return has(notes_, Note::TENSOR_CORE); }
  bool deterministic() const override { return !has(notes_, Note::NONDETERMINISTIC); }
  bool compiled_at_run_time() const override { return has(behavior_, kCompiled); }
  std::string serialized() const override { return plan_->getJsonRepresentation(); }
  cudnnBackendDescriptor_t descriptor() const { return plan_->get_raw_desc(); }

 private:
  Convolution convolution_;
  std::shared_ptr<Graph> graph_;  // the operations that the plan refers to
  std::shared_ptr<fe::ExecutionPlan> plan_;
  std::vector<fe::NumericalNote_t> notes_;
  std::vector<fe::BehaviorNote_t> behavior_;
  std::string name_;
  Bytes workspace_;
};

/// Tensors are NHWC in memory; cuDNN wants their sizes in the order N, C, H, W.
Tensor_attributes nhwc(Uid uid, const char* name, std::array<std::int64_t, 4> size) {
  const auto [n, h, w, c] = size;
  return Tensor_attributes()
      .set_name(name)
      .set_uid(uid)
      .set_dim({n, c, h, w})
      .set_stride({h * w * c, 1, w * c, c});
}

template <class Attributes>
Attributes window(const Convolution& c) {
  return Attributes()
      .set_pre_padding({c.top, c.left})
      .set_post_padding({c.bottom, c.right})
      .set_stride({c.stride.rows, c.stride.columns})
      .set_dilation({c.dilation.rows, c.dilation.columns});
}

Tensor with_bias_and_relu(Graph& graph, const Convolution& c, Tensor y) {
  const auto pointwise = [](fe::PointwiseMode_t mode) {
    return fe::graph::Pointwise_attributes().set_mode(mode);
  };
  if (c.bias) {
    const Tensor bias = graph.tensor(nhwc(kBias, "bias", {1, 1, 1, c.filters}));
    y = graph.pointwise(y, bias, pointwise(fe::PointwiseMode_t::ADD));
  }
  if (c.relu) y = graph.pointwise(y, pointwise(fe::PointwiseMode_t::RELU_FWD));
  return y;
}

/// The operations of the pass, not yet known to cuDNN.
void describe(Graph& graph, const Convolution& c) {
  graph.set_io_data_type(storage(c.precision))
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const Tensor_attributes x = nhwc(kX, "x", {c.batch, c.height, c.width, c.channels});
  // cuDNN sees groups in that kernels have fewer channels than images.
  const Tensor_attributes w = nhwc(kW, "w", {c.filters, c.rows, c.columns, c.channels / c.groups});
  const Tensor_attributes y = nhwc(kY, "y", {c.batch, c.out_height, c.out_width, c.filters});
  const auto make = [&c](const Tensor_attributes& shape, const Tensor& result) {
    result->set_output(true)
        .set_name(shape.get_name())
        .set_uid(shape.get_uid())
        .set_dim(shape.get_dim())
        .set_stride(shape.get_stride())
        .set_data_type(storage(c.precision));
  };
  using namespace fe::graph;
  switch (c.pass) {
    case Convolution::Pass::forward:
      return make(y, with_bias_and_relu(graph, c,
                                        graph.conv_fprop(graph.tensor(x), graph.tensor(w),
                                                         window<Conv_fprop_attributes>(c))));
    case Convolution::Pass::backward_data:
      return make(
          x, graph.conv_dgrad(graph.tensor(y), graph.tensor(w), window<Conv_dgrad_attributes>(c)));
    case Convolution::Pass::backward_weights:
      return make(
          w, graph.conv_wgrad(graph.tensor(y), graph.tensor(x), window<Conv_wgrad_attributes>(c)));
  }
}

/// What the engine takes: see Cudnn::plans.
void filter(Graph& graph, const Convolution& c, Bytes workspace) {
  graph.deselect_workspace_greater_than(static_cast<std::int64_t>(workspace.count));
  // Large tiles of Winograd lose too many digits.
  graph.deselect_numeric_notes({Note::NONDETERMINISTIC, Note::REDUCED_PRECISION_REDUCTION,
                                Note::WINOGRAD_TILE_6x6, Note::WINOGRAD_TILE_13x13});
  if (c.precision == nn::Precision::fp32) {
    graph.deselect_numeric_notes({Note::TENSOR_CORE, Note::DOWN_CONVERT_INPUTS});
  } else if (c.groups == 1) {  // small groups leave tensor cores nothing to do
    graph.select_numeric_notes({Note::TENSOR_CORE});
  }
}

struct DestroyHandle {
  void operator()(cudnnHandle_t handle) const { (void)fe::detail::destroy_handle(handle); }
};

class Implementation : public Cudnn {
 public:
  Implementation(int capability, cudnnHandle_t handle,
                 std::shared_ptr<const fe::DeviceProperties> device)
      : capability_(capability), handle_(handle), device_(std::move(device)) {}

  std::vector<std::unique_ptr<CudnnPlan>> plans(const Convolution& convolution, Bytes workspace,
                                                std::size_t most,
                                                const std::string& name) override {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Graph> graph = make_graph(convolution);
    constexpr auto kBest = fe::HeurMode_t::A, kRest = fe::HeurMode_t::FALLBACK;
    // An error here means that cuDNN knows no engine at all.
    if (graph->create_execution_plans({kBest, kRest}).is_bad()) return {};
    filter(*graph, convolution, workspace);
    std::vector<std::unique_ptr<CudnnPlan>> found;
    std::set<std::string> names;
    for (const std::int64_t index : in_order(*graph)) {
      if (found.size() >= most) break;
      if (!name.empty() && name_at(*graph, index) != name) continue;
      if (graph->build_plan_at_index(index).is_bad()) continue;
      // The same engine may be proposed by both modes.
      if (!names.insert(name_at(*graph, index)).second) continue;
      found.push_back(std::make_unique<Plan>(convolution, graph, index));
    }
    return found;
  }

  void run(void* stream, const CudnnPlan& plan, const ConvolutionMemory& memory) override {
    const Convolution& c = plan.operation();
    const std::string what = to_string(c);
    if (handle_ == nullptr) fail(what, "plans of a described device cannot be run");
    std::vector<std::int64_t> uids{kX, kW, kY};
    std::vector<void*> pointers{memory.x, memory.w, memory.y};
    if (c.bias) {
      uids.push_back(kBias);
      pointers.push_back(const_cast<void*>(memory.bias));
    }
    fe::detail::backend_descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    check(pack.get_status(), what);
    check(fe::detail::create_variant_pack(pack, pointers, uids, memory.workspace), what);
    const std::lock_guard lock(mutex_);
    const cudnnHandle_t handle = handle_.get();
    const auto& ours = static_cast<const Plan&>(plan);
    check(fe::detail::set_stream(handle, static_cast<cudaStream_t>(stream)), what);
    check(fe::detail::execute(handle, ours.descriptor(), pack.get_ptr()), what);
  }

 private:
  std::shared_ptr<Graph> make_graph(const Convolution& convolution) {
    auto graph = std::make_shared<Graph>();
    graph->set_sm_version(capability_);
    if (device_) graph->set_device_properties(device_);
    describe(*graph, convolution);
    const std::string what = to_string(convolution);
    check(graph->validate(), what);
    check(graph->build_operation_graph(handle_.get()), what);
    return graph;
  }

  /// cuDNN's order, but what is there before what must be compiled.
  static std::vector<std::int64_t> in_order(const Graph& graph) {
    std::vector<std::int64_t> order(graph.plans.behavior_notes.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_partition(order.begin(), order.end(), [&](std::int64_t index) {
      return !has(graph.plans.behavior_notes[std::size_t(index)], kCompiled);
    });
    return order;
  }

  int capability_;
  std::unique_ptr<cudnnContext, DestroyHandle> handle_;
  std::shared_ptr<const fe::DeviceProperties> device_;
  std::mutex mutex_;  // the handle is for one thread at a time
};

}  // namespace

std::unique_ptr<Cudnn> Cudnn::for_current_device(int capability) {
  require_cudnn();
  cudnnHandle_t handle = nullptr;
  check(fe::detail::create_handle(&handle), "a handle for the device");
  return std::make_unique<Implementation>(capability, handle, nullptr);
}

std::unique_ptr<Cudnn> Cudnn::for_description(const std::string& device_json, int capability) {
  require_cudnn();
  std::vector<std::uint8_t> text(device_json.begin(), device_json.end());
  text.push_back(0);
  auto device = std::make_shared<fe::DeviceProperties>();
  check(device->deserialize(text), "the description of a device");
  return std::make_unique<Implementation>(capability, nullptr, std::move(device));
}

std::string describe_device(int index) {
  require_cudnn();
  const std::string what = concat("the description of device ", index);
  fe::DeviceProperties device;
  check(device.set_device_id(index).build(), what);
  std::vector<std::uint8_t> text;
  check(device.serialize(text), what);
  while (!text.empty() && text.back() == 0) text.pop_back();
  return {text.begin(), text.end()};
}

std::string cudnn_version() {
  require_cudnn();
  const std::size_t version = fe::detail::get_backend_version();
  return concat(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

}  // namespace millrace::gpu

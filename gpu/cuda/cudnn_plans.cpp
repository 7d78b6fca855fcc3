// The one source that includes cudnn-frontend, also by cudnn_graph.h: see CMakeLists.txt for its
// options.
#include <millrace/gpu/cuda/cudnn_plans.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cudnn_graph.h>
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

using namespace cudnn;

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

constexpr fe::BehaviorNote_t kCompiled = fe::BehaviorNote_t::RUNTIME_COMPILATION;
template <class T>
bool has(const std::vector<T>& notes, T note) {
  return std::ranges::find(notes, note) != notes.end();
}

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

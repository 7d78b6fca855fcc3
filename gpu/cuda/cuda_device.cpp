#include <millrace/gpu/cuda/cuda_device.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cublas_lt.h>
#include <millrace/gpu/cuda/cuda_facts.h>
#include <millrace/gpu/cuda/cuda_objects.h>
#include <millrace/gpu/cuda/plan_choice.h>

#include <cuda_runtime_api.h>

#include <atomic>
#include <memory>
#include <utility>

namespace millrace::gpu {
namespace {

using detail::check_cuda;
using detail::counters;
using detail::cuda;

void count(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

/// CUDA's word for a kind of copy, and ours, by Device::Copy.
constexpr std::pair<cudaMemcpyKind, const char*> kCopies[] = {
    {cudaMemcpyHostToDevice, "to the device"},
    {cudaMemcpyDeviceToHost, "to the host"},
    {cudaMemcpyDeviceToDevice, "on the device"}};

class CudaDevice : public Device {
 public:
  CudaDevice(const OpenOptions& options, DeviceFacts facts)
      : index_(options.index),
        facts_(std::move(facts)),
        convolutions_(options.index, facts_, options.plan_cache) {}

  [[nodiscard]] const DeviceFacts& facts() const override { return facts_; }
  [[nodiscard]] nn::DeviceMemory memory() const override {
    use();
    return detail::device_memory();
  }
  [[nodiscard]] Buffer allocate(Bytes size, const char* what) override {
    use();
    return detail::allocate_device(size, what, facts_.name, is_abandoned_);
  }
  [[nodiscard]] Buffer allocate_pinned(Bytes size) override {
    use();
    return detail::allocate_pinned(size, is_abandoned_);
  }

  [[nodiscard]] std::unique_ptr<Stream> make_stream(const char* name) override {
    use();
    return std::make_unique<detail::CudaStream>(name);
  }
  [[nodiscard]] std::unique_ptr<Event> make_event(bool timed) override {
    use();
    return std::make_unique<detail::CudaEvent>(timed);
  }
  void record(Event& event, Stream& stream) override {
    check_cuda(cudaEventRecord(cuda(event).handle(), here(stream)), "event in stream ",
               cuda(stream).name());
  }
  void wait(Stream& stream, const Event& event) override {
    check_cuda(cudaStreamWaitEvent(here(stream), cuda(event).handle(), 0), "wait of stream ",
               cuda(stream).name());
  }
  void synchronize(const Event& event) override {
    use();
    check_cuda(cudaEventSynchronize(cuda(event).handle()), "work before an event");
  }
  [[nodiscard]] double seconds_between(const Event& begin, const Event& end) override {
    use();
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, cuda(begin).handle(), cuda(end).handle()),
               "time between two events");
    return static_cast<double>(milliseconds) / 1e3;
  }
  void abandon() noexcept override { is_abandoned_->store(true); }

  void copy(Stream& stream, void* to, const void* from, Bytes size, Copy kind) override;
  void fill(Stream& stream, void* memory, int byte, Bytes size) override;
  void launch(Stream& stream, const Launch& launch) override;

  [[nodiscard]] std::unique_ptr<ConvolutionPlan> plan(const Convolution& convolution,
                                                      Bytes workspace) override {
    use();
    return convolutions_.plan(convolution, workspace);
  }
  void run(Stream& stream, const ConvolutionPlan& plan, const ConvolutionMemory& memory) override {
    count(counters().library_calls);
    convolutions_.run(here(stream), plan, memory);
  }
  [[nodiscard]] std::unique_ptr<MatmulPlan> plan(const Matmul& matmul, Bytes workspace) override {
    use();
    return products_.plan(matmul, workspace);
  }
  void run(Stream& stream, const MatmulPlan& plan, const MatmulMemory& memory) override {
    products_.run(here(stream), plan, memory);
  }

  void begin_capture(Stream& stream) override;
  [[nodiscard]] std::unique_ptr<StepGraph> end_capture(Stream& stream) override;
  void launch(Stream& stream, StepGraph& graph) override;

 private:
  void use() const { detail::use_device(index_); }
  /// The stream, of the device that is made current.
  [[nodiscard]] cudaStream_t here(const Stream& stream) const {
    use();
    return cuda(stream).handle();
  }

  int index_;
  DeviceFacts facts_;
  const std::shared_ptr<std::atomic<bool>> is_abandoned_ =
      std::make_shared<std::atomic<bool>>(false);  // buffers may outlive the device
  ConvolutionPlanner convolutions_;                // makes the device current, for what follows
  detail::CublasLt products_;
};

void CudaDevice::copy(Stream& stream, void* to, const void* from, Bytes size, Copy kind) {
  count(counters().copies);
  const auto [cuda_kind, direction] = kCopies[static_cast<std::size_t>(kind)];
  check_cuda(cudaMemcpyAsync(to, from, size.count, cuda_kind, here(stream)), "copy of ", size, " ",
             direction, " in stream ", cuda(stream).name());
}

void CudaDevice::fill(Stream& stream, void* memory, int byte, Bytes size) {
  check_cuda(cudaMemsetAsync(memory, byte, size.count, here(stream)), "fill of ", size,
             " in stream ", cuda(stream).name());
}

void CudaDevice::launch(Stream& stream, const Launch& launch) {
  count(counters().kernels);
  const int error = launch.kernel->launch(launch.arguments.data(), launch.count, here(stream));
  check_cuda(static_cast<cudaError_t>(error), "kernel ", launch.kernel->name, " over ",
             launch.count, " in stream ", cuda(stream).name());
}

// Only calls of this thread are held to the rules of capturing: others allocate and copy meanwhile.
void CudaDevice::begin_capture(Stream& stream) {
  check_cuda(cudaStreamBeginCapture(here(stream), cudaStreamCaptureModeThreadLocal),
             "begin of capture in stream ", cuda(stream).name());
}

std::unique_ptr<StepGraph> CudaDevice::end_capture(Stream& stream) {
  const cudaStream_t handle = here(stream);
  const std::string& name = cuda(stream).name();
  cudaGraph_t captured = nullptr;
  const cudaError_t error = cudaStreamEndCapture(handle, &captured);
  const detail::GraphHandle graph(captured);
  check_cuda(error, "capture in stream ", name);
  cudaGraphExec_t made = nullptr;
  check_cuda(cudaGraphInstantiate(&made, graph.get(), 0), "graph of stream ", name);
  detail::GraphExecHandle executable(made);
  // Else the first launch would do it.
  check_cuda(cudaGraphUpload(executable.get(), handle), "upload of the graph of stream ", name);
  return std::make_unique<detail::CudaGraph>(std::move(executable));
}

void CudaDevice::launch(Stream& stream, StepGraph& graph) {
  count(counters().graphs);
  check_cuda(cudaGraphLaunch(cuda(graph).handle(), here(stream)), "graph in stream ",
             cuda(stream).name());
}

}  // namespace

Probe probe() {
  const detail::DeviceCount found = detail::count_devices();
  if (found.count == 0) return {.devices = {}, .why_none = found.why_none};
  if (std::string missing = detail::missing_library(); !missing.empty()) {
    return {.devices = {}, .why_none = std::move(missing)};
  }
  Probe probe;
  try {
    for (int i = 0; i < found.count; ++i) probe.devices.push_back(detail::facts_of(i));
  } catch (const Error& error) {
    return {.devices = {}, .why_none = error.what()};
  }
  return probe;
}

std::shared_ptr<Device> open_device(const OpenOptions& options) {
  const detail::DeviceCount found = detail::count_devices();
  if (found.count == 0) throw Error(concat("gpu: ", found.why_none));
  if (options.index < 0 || options.index >= found.count) {
    throw Error(
        concat("gpu: no device ", options.index, ": there are ", found.count, ", numbered from 0"));
  }
  if (const std::string missing = detail::missing_library(); !missing.empty()) {
    throw Error(concat("gpu: ", missing));
  }
  return std::make_shared<CudaDevice>(options, detail::facts_of(options.index));
}

LaunchCounts launch_counts() noexcept {
  const detail::Counters& counters = detail::counters();
  return {.kernels = counters.kernels.load(),
          .library_calls = counters.library_calls.load(),
          .copies = counters.copies.load(),
          .graphs = counters.graphs.load()};
}

}  // namespace millrace::gpu

#pragma once
// Calls of the CUDA runtime: a failure becomes one line that names the call, and
// launches are counted. Streams, events, graphs and memory, each with one owner that releases
// it.

#include <millrace/core/buffer.h>
#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/gpu/device.h>

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace millrace::gpu::detail {

/// "cuda: copy of 3 MiB to_device: an illegal memory access was encountered
/// (cudaErrorIllegalAddress)". Clears the error where CUDA lets it be cleared.
[[noreturn]] void throw_cuda_error(cudaError_t error, const std::string& what);

/// `what` is put together only where there is an error.
template <class... Parts>
void check_cuda(cudaError_t error, const Parts&... what) {
  if (error != cudaSuccess) throw_cuda_error(error, concat(what...));
}

/// What launch_counts() reads.
struct Counters {
  std::atomic<std::uint64_t> kernels{0}, library_calls{0}, copies{0}, graphs{0};
};
[[nodiscard]] Counters& counters() noexcept;

/// CUDA's current device is a property of a thread, and threads of all kinds come here.
void use_device(int index);

// Giving back never throws: when the process ends, CUDA may have gone first and says so, and then
// there is nothing left to give back.
struct DestroyStream {
  void operator()(cudaStream_t stream) const noexcept { (void)cudaStreamDestroy(stream); }
};
struct DestroyEvent {
  void operator()(cudaEvent_t event) const noexcept { (void)cudaEventDestroy(event); }
};
struct DestroyGraph {
  void operator()(cudaGraph_t graph) const noexcept { (void)cudaGraphDestroy(graph); }
};
struct DestroyGraphExec {
  void operator()(cudaGraphExec_t graph) const noexcept { (void)cudaGraphExecDestroy(graph); }
};
using StreamHandle = std::unique_ptr<CUstream_st, DestroyStream>;
using EventHandle = std::unique_ptr<CUevent_st, DestroyEvent>;
using GraphHandle = std::unique_ptr<CUgraph_st, DestroyGraph>;
using GraphExecHandle = std::unique_ptr<CUgraphExec_st, DestroyGraphExec>;

/// All are for the current device of the thread.
[[nodiscard]] StreamHandle make_stream(const char* name);
/// Waiting for it does not spin.
[[nodiscard]] EventHandle make_event(bool timed);
/// Set where a device does not answer: its memory is then left to the end of the process, since to
/// give it back would wait for the device. May be null: never.
using Abandoned = std::shared_ptr<const std::atomic<bool>>;
/// Throws OutOfDeviceMemory. `device` is its name, for the message.
[[nodiscard]] Buffer allocate_device(Bytes size, const char* what, const std::string& device,
                                     Abandoned abandoned = nullptr);
[[nodiscard]] Buffer allocate_pinned(Bytes size, Abandoned abandoned = nullptr);
[[nodiscard]] nn::DeviceMemory device_memory();

class CudaStream : public Stream {
 public:
  explicit CudaStream(const char* name) : name_(name), handle_(make_stream(name)) {}
  [[nodiscard]] cudaStream_t handle() const noexcept { return handle_.get(); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
  StreamHandle handle_;
};

class CudaEvent : public Event {
 public:
  explicit CudaEvent(bool timed) : handle_(make_event(timed)) {}
  [[nodiscard]] cudaEvent_t handle() const noexcept { return handle_.get(); }

 private:
  EventHandle handle_;
};

class CudaGraph : public StepGraph {
 public:
  explicit CudaGraph(GraphExecHandle handle) : handle_(std::move(handle)) {}
  [[nodiscard]] cudaGraphExec_t handle() const noexcept { return handle_.get(); }

 private:
  GraphExecHandle handle_;
};

// Objects of devices are not mixed, so an object that is passed in is one of CUDA's.
[[nodiscard]] inline const CudaStream& cuda(const Stream& stream) {
  return dynamic_cast<const CudaStream&>(stream);
}
[[nodiscard]] inline const CudaEvent& cuda(const Event& event) {
  return dynamic_cast<const CudaEvent&>(event);
}
[[nodiscard]] inline const CudaGraph& cuda(const StepGraph& graph) {
  return dynamic_cast<const CudaGraph&>(graph);
}

// ---- which of several ways to do the same is the fastest, by trying them ------------------------

/// Seconds that `run`, which queues its work in the stream, takes on the device: the least of a few
/// measurements, each over several runs, after one run that loads code. Waits for the device.
[[nodiscard]] double least_seconds(cudaStream_t stream, const std::function<void()>& run,
                                   int measurements, int runs);

/// Memory to try them on, whose bytes are all `byte`, from the default stream. Throws
/// OutOfDeviceMemory.
[[nodiscard]] Buffer scratch(std::size_t bytes, int byte);
/// All the memory of a measurement; none if the device has not so much.
template <class Memory, class... Arguments>
[[nodiscard]] std::optional<Memory> if_it_fits(const Arguments&... arguments) {
  try {
    return Memory(arguments...);
  } catch (const OutOfDeviceMemory&) {
    return std::nullopt;
  }
}

/// The first of those that take at most 5 % longer than the fastest one: what is measured wavers by
/// as much, and the choice should be the same in the next run. Requires: not empty.
[[nodiscard]] std::size_t choose(std::span<const double> seconds);

}  // namespace millrace::gpu::detail

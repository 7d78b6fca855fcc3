#include <millrace/gpu/cuda/cuda_objects.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace millrace::gpu::detail {

void throw_cuda_error(cudaError_t error, const std::string& what) {
  (void)cudaGetLastError();
  const char* const advice =
      error == cudaErrorNoKernelImageForDevice
          ? "; build with this card's architecture in CMAKE_CUDA_ARCHITECTURES"
          : "";
  throw Error(concat("cuda: ", what, ": ", cudaGetErrorString(error), " (", cudaGetErrorName(error),
                     ")", advice));
}

Counters& counters() noexcept {
  static Counters counters;
  return counters;
}

void use_device(int index) {
  check_cuda(cudaSetDevice(index), "use of device ", index);
}

StreamHandle make_stream(const char* name) {
  cudaStream_t stream = nullptr;
  // Not in step with the default stream, which libraries may use behind our back.
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making of stream ", name);
  return StreamHandle(stream);
}

EventHandle make_event(bool timed) {
  const unsigned flags = cudaEventBlockingSync | (timed ? 0U : unsigned{cudaEventDisableTiming});
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, flags), "making of an event");
  return EventHandle(event);
}

nn::DeviceMemory device_memory() {
  std::size_t free = 0;
  std::size_t total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), "question for free memory");
  return {.free = {free}, .total = {total}};
}

namespace {

bool is_set(const Abandoned& abandoned) {
  return abandoned != nullptr && abandoned->load();
}

}  // namespace

Buffer allocate_device(Bytes size, const char* what, const std::string& device,
                       Abandoned abandoned) {
  if (size.count == 0) return {};
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, size.count);
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    const nn::DeviceMemory left = device_memory();
    throw OutOfDeviceMemory(
        concat("gpu: no ", size, " for ", what, " on ", device, ": ", left.free, " of ", left.total,
               " are free; use smaller batches, or end what else uses the GPU"));
  }
  check_cuda(error, "allocation of ", size, " for ", what);
  return {static_cast<std::byte*>(memory), size, [abandoned](std::byte* p) {
            if (!is_set(abandoned)) (void)cudaFree(p);
          }};
}

Buffer allocate_pinned(Bytes size, Abandoned abandoned) {
  if (size.count == 0) return {};
  void* memory = nullptr;
  check_cuda(cudaHostAlloc(&memory, size.count, cudaHostAllocPortable), "pinning of ", size,
             " of host memory");
  std::memset(memory, 0, size.count);
  return {static_cast<std::byte*>(memory), size, [abandoned](std::byte* p) {
            if (!is_set(abandoned)) (void)cudaFreeHost(p);
          }};
}

double least_seconds(cudaStream_t stream, const std::function<void()>& run, int measurements,
                     int runs) {
  const EventHandle begin = make_event(true);
  const EventHandle end = make_event(true);
  run();  // the first run loads code
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < measurements; ++i) {
    check_cuda(cudaEventRecord(begin.get(), stream), "timing of a plan");
    for (int j = 0; j < runs; ++j) run();
    check_cuda(cudaEventRecord(end.get(), stream), "timing of a plan");
    check_cuda(cudaEventSynchronize(end.get()), "timing of a plan");
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "timing of a plan");
    least = std::min(least, static_cast<double>(milliseconds) / 1e3 / runs);
  }
  return least;
}

Buffer scratch(std::size_t bytes, int byte) {
  Buffer buffer = allocate_device({bytes}, "timing of a plan", "the GPU");
  if (bytes > 0) check_cuda(cudaMemset(buffer.data(), byte, bytes), "scratch memory");
  return buffer;
}

std::size_t choose(std::span<const double> seconds) {
  const double fastest = *std::ranges::min_element(seconds);
  const auto first =
      std::ranges::find_if(seconds, [fastest](double s) { return s <= 1.05 * fastest; });
  return static_cast<std::size_t>(first - seconds.begin());
}

}  // namespace millrace::gpu::detail

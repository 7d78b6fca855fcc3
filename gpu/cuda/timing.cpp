#include <millrace/gpu/cuda/timing.h>

#include <algorithm>
#include <limits>

namespace millrace::gpu::detail {

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

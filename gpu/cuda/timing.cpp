#include <millrace/gpu/cuda/timing.h>

#include <millrace/gpu/cuda/cuda_call.h>

#include <algorithm>
#include <limits>

namespace millrace::gpu::detail {

double least_seconds(cudaStream_t stream, const std::function<void()>& run) {
  constexpr int kMeasurements = 3;
  constexpr int kRuns = 5;
  const EventHandle begin = make_event(true);
  const EventHandle end = make_event(true);
  run();  // the first run loads code
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kMeasurements; ++i) {
    check_cuda(cudaEventRecord(begin.get(), stream), "timing of a plan");
    for (int j = 0; j < kRuns; ++j) run();
    check_cuda(cudaEventRecord(end.get(), stream), "timing of a plan");
    check_cuda(cudaEventSynchronize(end.get()), "timing of a plan");
    float milliseconds = 0;
    check_cuda(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "timing of a plan");
    least = std::min(least, static_cast<double>(milliseconds) / 1e3 / kRuns);
  }
  return least;
}

std::size_t choose(std::span<const double> seconds) {
  const double fastest = *std::ranges::min_element(seconds);
  const auto first =
      std::ranges::find_if(seconds, [fastest](double s) { return s <= 1.05 * fastest; });
  return static_cast<std::size_t>(first - seconds.begin());
}

}  // namespace millrace::gpu::detail

#include <millrace/nn/layers/global_avg_pool.h>

#include <millrace/nn/reference/call.h>

namespace millrace::nn {

using reference::BasicCall;

LayerShape GlobalAvgPool::infer(const LayerInput& input) const {
  input.require_image();
  return {.output = {input.shape()[2]}};
}

template <class Real>
void GlobalAvgPool::forward(const BasicCall<Real>& call) const {
  const auto x = call.x();
  const auto y = call.y();
  const std::int64_t pixels = call.pixels(), channels = call.channels();
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      Real sum = 0;
      for (std::int64_t p = 0; p < pixels; ++p) sum += x[(n * pixels + p) * channels + c];
      y[n * channels + c] = sum / static_cast<Real>(pixels);
    }
  }
}

template <class Real>
void GlobalAvgPool::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy();
  const auto dx = call.dx();
  const std::int64_t pixels = call.pixels(), channels = call.channels();
  for (std::int64_t i = 0; i < call.samples * pixels; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      dx[i * channels + c] = dy[i / pixels * channels + c] / static_cast<Real>(pixels);
    }
  }
}

MILLRACE_LOOPS_OF(GlobalAvgPool)

}  // namespace millrace::nn

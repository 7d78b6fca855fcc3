#include <millrace/nn/layers/global_avg_pool.h>

#include <millrace/nn/reference/call.h>

namespace millrace::nn {

LayerShape GlobalAvgPool::infer(const LayerInput& input) const {
  input.require_image();
  return {.output = {input.shape()[2]}};
}

void GlobalAvgPool::forward(const reference::Call& call) const {
  const reference::In x = call.x();
  const reference::Out y = call.y();
  const std::int64_t pixels = call.pixels(), channels = call.channels();
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::int64_t p = 0; p < pixels; ++p) sum += x[(n * pixels + p) * channels + c];
      y[n * channels + c] = sum / static_cast<double>(pixels);
    }
  }
}

void GlobalAvgPool::backward(const reference::Call& call) const {
  const reference::In dy = call.dy();
  const reference::Out dx = call.dx();
  const std::int64_t pixels = call.pixels(), channels = call.channels();
  for (std::int64_t i = 0; i < call.samples * pixels; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      dx[i * channels + c] = dy[i / pixels * channels + c] / static_cast<double>(pixels);
    }
  }
}

}  // namespace millrace::nn

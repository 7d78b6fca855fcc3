#include <millrace/nn/layers/avg_pool2d.h>

#include <millrace/nn/reference/sliding.h>

#include <algorithm>

namespace millrace::nn {
namespace {

using reference::In;
using reference::Out;
using reference::Sliding;

/// How many pixels of the image lie under the window: what an average divides by.
double pixels_under(const Sliding& s, std::int64_t oy, std::int64_t ox) {
  const auto covered = [&](std::int64_t first, std::int64_t size, std::int64_t extent) {
    return std::min(first + size, extent) - std::max<std::int64_t>(first, 0);
  };
  return static_cast<double>(covered(oy * s.stride - s.top, s.rows, s.height) *
                             covered(ox * s.stride - s.left, s.columns, s.width));
}

}  // namespace

void AvgPool2D::list(FieldList& fields) {
  fields.required("size", &size);
  fields.required("stride", &stride);
  fields.optional("padding", &padding);
}

LayerShape AvgPool2D::infer(const LayerInput& input) const {
  input.require_image();
  const std::int64_t window = input.positive("size", size);
  const Shape output =
      input.slide(window, window, input.positive("stride", stride), padding, input.shape()[2]);
  return {.output = output};
}

void AvgPool2D::forward(const reference::Call& call) const {
  const Sliding s = sliding(call, size, size, stride, padding);
  const In x = call.x();
  const Out y = call.y();
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    for (std::int64_t c = 0; c < s.channels; ++c) {
      double sum = 0;
      s.for_each_pixel(oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t, std::int64_t) {
        sum += x[s.input_at(n, iy, ix) + c];
      });
      y[s.output_at(n, oy, ox) + c] = sum / pixels_under(s, oy, ox);
    }
  });
}

void AvgPool2D::backward(const reference::Call& call) const {
  const Sliding s = sliding(call, size, size, stride, padding);
  const In dy = call.dy();
  const Out dx = call.dx();
  std::fill(dx.begin(), dx.end(), 0.0);
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const double share = 1 / pixels_under(s, oy, ox);
    s.for_each_pixel(oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t, std::int64_t) {
      for (std::int64_t c = 0; c < s.channels; ++c) {
        dx[s.input_at(n, iy, ix) + c] += dy[s.output_at(n, oy, ox) + c] * share;
      }
    });
  });
}

}  // namespace millrace::nn

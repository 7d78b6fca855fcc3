#include <millrace/nn/layers/max_pool2d.h>

#include <millrace/nn/reference/sliding.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::nn {

using reference::BasicCall;
using reference::Sliding;

void MaxPool2D::list(FieldList& fields) {
  fields.required("size", &size);
  fields.required("stride", &stride);
  fields.optional("padding", &padding);
  fields.seldom("ceil", &ceil, false);
}

LayerShape MaxPool2D::infer(const LayerInput& input) const {
  input.require_image();
  const Shape output = input.pool(window());
  return {.output = output, .saved = {{"indices", output}}};
}

template <class Real>
void MaxPool2D::forward(const BasicCall<Real>& call) const {
  const Sliding s = sliding(call, window());
  const auto x = call.x();
  const auto y = call.y(), winners = call.saved(kIndices);
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    for (std::int64_t c = 0; c < s.channels; ++c) {
      Real highest = -std::numeric_limits<Real>::infinity();
      std::int64_t winner = -1;
      s.for_each_pixel(oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t, std::int64_t) {
        const std::int64_t at = s.input_at(n, iy, ix) + c;
        // A NaN wins and stays, as in PyTorch: a diverged run must not look healthy.
        if (winner < 0 || x[at] > highest || (std::isnan(x[at]) && !std::isnan(highest))) {
          highest = x[at];
          winner = at;
        }
      });
      const std::int64_t out = s.output_at(n, oy, ox) + c;
      y[out] = highest;
      if (!winners.empty()) winners[out] = static_cast<Real>(winner);
    }
  });
}

template <class Real>
void MaxPool2D::backward(const BasicCall<Real>& call) const {
  const auto dy = call.dy();
  const auto dx = call.dx(), winners = call.saved(kIndices);
  std::fill(dx.begin(), dx.end(), Real{0});
  for (std::int64_t i = 0; i < dy.size(); ++i) dx[static_cast<std::int64_t>(winners[i])] += dy[i];
}

MILLRACE_LOOPS_OF(MaxPool2D)

}  // namespace millrace::nn

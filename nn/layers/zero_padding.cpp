#include <millrace/nn/layers/zero_padding.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>

namespace millrace::nn {

using reference::BasicCall;

namespace {

/// Calls body(first element of the image's row, of the padded one's, how many) for all rows.
template <class Real, class Body>
void for_each_row(const ZeroPadding& padding, const BasicCall<Real>& call, Body body) {
  const std::int64_t rows = call.input()[0], channels = call.channels();
  const std::int64_t count = call.input()[1] * channels, padded = call.output[1] * channels;
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t to = n * call.output[0] + row + padding.top;
      body((n * rows + row) * count, to * padded + padding.left * channels, count);
    }
  }
}

}  // namespace

void ZeroPadding::list(FieldList& fields) {
  fields.optional("top", &top);
  fields.optional("bottom", &bottom);
  fields.optional("left", &left);
  fields.optional("right", &right);
}

LayerShape ZeroPadding::infer(const LayerInput& input) const {
  input.require_image();
  const Shape& x = input.shape();
  const Shape output{x[0] + top + bottom, x[1] + left + right, x[2]};
  input.product({output[0], output[1], output[2]});
  return {.output = output};
}

template <class Real>
void ZeroPadding::forward(const BasicCall<Real>& call) const {
  const auto y = call.y();
  std::fill(y.begin(), y.end(), Real{0});
  for_each_row(*this, call, [&](std::int64_t from, std::int64_t to, std::int64_t count) {
    std::copy_n(call.x().begin() + from, count, y.begin() + to);
  });
}

template <class Real>
void ZeroPadding::backward(const BasicCall<Real>& call) const {
  for_each_row(*this, call, [&](std::int64_t to, std::int64_t from, std::int64_t count) {
    std::copy_n(call.dy().begin() + from, count, call.dx().begin() + to);
  });
}

MILLRACE_LOOPS_OF(ZeroPadding)

}  // namespace millrace::nn

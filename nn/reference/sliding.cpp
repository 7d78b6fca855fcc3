#include <millrace/nn/reference/sliding.h>

#include <algorithm>

namespace millrace::nn::reference {
namespace {

/// Calls body(sample, rows, columns, index of channel 0 of what is made of them) for each part.
template <class Real, class Body>
void for_each_part(const BasicCall<Real>& call, const Stretches& parts, Body body) {
  std::int64_t out = 0;
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (const Stretch& rows : parts.rows) {
      for (const Stretch& columns : parts.columns) {
        body(n, rows, columns, out);
        out += call.channels();
      }
    }
  }
}

/// Calls body(index) for each pixel of a part and each channel.
template <class Real, class Body>
void for_each_element(const BasicCall<Real>& call, std::int64_t n, const Stretch& rows,
                      const Stretch& columns, Body body) {
  const std::int64_t height = call.input()[0], width = call.input()[1];
  for (std::int64_t y = rows.begin; y < rows.end; ++y) {
    for (std::int64_t x = columns.begin; x < columns.end; ++x) {
      for (std::int64_t c = 0; c < call.channels(); ++c) {
        body(((n * height + y) * width + x) * call.channels() + c, c);
      }
    }
  }
}

}  // namespace

template <class Real>
void average(const BasicCall<Real>& call, const Stretches& parts) {
  const auto x = call.x();
  const auto y = call.y();
  std::fill(y.begin(), y.end(), Real{0});
  for_each_part(call, parts,
                [&](std::int64_t n, const Stretch& rows, const Stretch& columns, std::int64_t out) {
                  for_each_element(call, n, rows, columns,
                                   [&](std::int64_t in, std::int64_t c) { y[out + c] += x[in]; });
                  const auto count = static_cast<Real>(rows.count * columns.count);
                  for (std::int64_t c = 0; c < call.channels(); ++c) y[out + c] /= count;
                });
}

template <class Real>
void average_backward(const BasicCall<Real>& call, const Stretches& parts) {
  const auto dy = call.dy();
  const auto dx = call.dx();
  std::fill(dx.begin(), dx.end(), Real{0});
  for_each_part(call, parts,
                [&](std::int64_t n, const Stretch& rows, const Stretch& columns, std::int64_t out) {
                  const Real share = 1 / static_cast<Real>(rows.count * columns.count);
                  for_each_element(call, n, rows, columns, [&](std::int64_t in, std::int64_t c) {
                    dx[in] += dy[out + c] * share;
                  });
                });
}

template void average(const Call&, const Stretches&);
template void average(const FloatCall&, const Stretches&);
template void average_backward(const Call&, const Stretches&);
template void average_backward(const FloatCall&, const Stretches&);

}  // namespace millrace::nn::reference

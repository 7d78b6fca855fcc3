#include <millrace/nn/layers/conv2d.h>

#include <millrace/nn/reference/sliding.h>

#include <algorithm>

namespace millrace::nn {
namespace {

using reference::Call;
using reference::In;
using reference::Out;
using reference::Sliding;

/// Calls body(x index, w index, y index) for each product of a convolution; the three passes are
/// y += x w, dx += dy w and dw += dy x over the same triples.
template <class Body>
void for_each_product(const Sliding& s, Body body) {
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const std::int64_t out = s.output_at(n, oy, ox);
    s.for_each_pixel(
        oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t row, std::int64_t column) {
          const std::int64_t in = s.input_at(n, y, x);
          for (std::int64_t f = 0; f < s.filters; ++f) {
            for (std::int64_t c = 0; c < s.channels; ++c) {
              body(in + c, ((f * s.channels + c) * s.rows + row) * s.columns + column, out + f);
            }
          }
        });
  });
}

void parameter_gradients(const Sliding& s, In x, In dy, Out dw, Out db) {
  std::fill(dw.begin(), dw.end(), 0.0);
  std::fill(db.begin(), db.end(), 0.0);
  for_each_product(
      s, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) { dw[wi] += dy[yi] * x[xi]; });
  if (db.empty()) return;
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    for (std::int64_t f = 0; f < s.filters; ++f) db[f] += dy[s.output_at(n, oy, ox) + f];
  });
}

}  // namespace

void Conv2D::list(FieldList& fields) {
  fields.required("filters", &filters);
  fields.required("rows", &rows);
  fields.required("columns", &columns);
  fields.optional("stride", &stride);
  fields.optional("padding", &padding);
  fields.optional("bias", &bias);
}

LayerShape Conv2D::infer(const LayerInput& input) const {
  const Shape output =
      input.slide(input.positive("rows", rows), input.positive("columns", columns),
                  input.positive("stride", stride), padding, input.positive("filters", filters));
  const std::int64_t channels = input.shape()[2];
  input.product({filters, channels, rows, columns});
  const std::int64_t field = rows * columns;
  LayerShape result{.output = output,
                    .parameters = {{"weight", Role::kernel, {filters, channels, rows, columns}}},
                    .fan_in = channels * field,
                    .fan_out = filters * field,
                    .flops = 2 * output.elements() * channels * field};
  if (bias) result.parameters.push_back({"bias", Role::bias, {filters}});
  return result;
}

void Conv2D::forward(const Call& call) const {
  const Sliding s = sliding(call, rows, columns, stride, padding);
  const In x = call.x(), w = call.parameter(Role::kernel), b = call.parameter(Role::bias);
  const Out y = call.y();
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const std::int64_t out = s.output_at(n, oy, ox);
    for (std::int64_t f = 0; f < filters; ++f) y[out + f] = b.empty() ? 0.0 : b[f];
  });
  for_each_product(
      s, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) { y[yi] += x[xi] * w[wi]; });
}

void Conv2D::backward(const Call& call) const {
  const Sliding s = sliding(call, rows, columns, stride, padding);
  const In dy = call.dy();
  if (const Out dw = call.gradient(Role::kernel); !dw.empty()) {
    parameter_gradients(s, call.x(), dy, dw, call.gradient(Role::bias));
  }
  const Out dx = call.dx();
  if (dx.empty()) return;
  const In w = call.parameter(Role::kernel);
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_product(
      s, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) { dx[xi] += dy[yi] * w[wi]; });
}

}  // namespace millrace::nn

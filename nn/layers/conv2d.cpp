#include <millrace/nn/layers/conv2d.h>

#include <millrace/nn/reference/sliding.h>

#include <algorithm>

namespace millrace::nn {
namespace {

using reference::BasicCall;
using reference::Flat;
using reference::Sliding;

/// Calls body(x index, w index, y index) for each product of a convolution; the three passes are
/// y += x w, dx += dy w and dw += dy x over the same triples. Filters of a group read its channels.
template <class Body>
void for_each_product(const Sliding& s, std::int64_t groups, Body body) {
  const std::int64_t filters = s.filters / groups, channels = s.channels / groups;
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const std::int64_t out = s.output_at(n, oy, ox);
    s.for_each_pixel(
        oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t row, std::int64_t column) {
          for (std::int64_t f = 0; f < s.filters; ++f) {
            const std::int64_t in = s.input_at(n, y, x) + f / filters * channels;
            for (std::int64_t c = 0; c < channels; ++c) {
              body(in + c, ((f * channels + c) * s.size.rows + row) * s.size.columns + column,
                   out + f);
            }
          }
        });
  });
}

template <class Real>
void parameter_gradients(const Sliding& s, std::int64_t groups, Flat<const Real> x,
                         Flat<const Real> dy, Flat<Real> dw, Flat<Real> db) {
  std::fill(dw.begin(), dw.end(), Real{0});
  std::fill(db.begin(), db.end(), Real{0});
  for_each_product(s, groups, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    dw[wi] += dy[yi] * x[xi];
  });
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
  fields.seldom("groups", &groups, std::int64_t{1});
  fields.seldom("dilation", &dilation, Pair(1));
}

LayerShape Conv2D::infer(const LayerInput& input) const {
  input.positive("rows", rows);
  input.positive("columns", columns);
  const Shape output = input.slide(window(), input.positive("filters", filters));
  input.positive("groups", groups);
  input.require(input.shape()[2] % groups == 0 && filters % groups == 0, "cannot divide ",
                input.shape()[2], " channels and ", filters, " filters into ", groups,
                " groups; both must be multiples of it");
  const std::int64_t channels = input.shape()[2] / groups;
  input.product({filters, channels, rows, columns});
  const std::int64_t field = rows * columns;
  LayerShape result{.output = output,
                    .parameters = {{.suffix = "weight",
                                    .role = Role::kernel,
                                    .shape = {filters, channels, rows, columns},
                                    .groups = groups}},
                    .fan_in = channels * field,
                    .fan_out = filters * field,
                    .flops = 2 * output.elements() * channels * field};
  if (bias) result.parameters.push_back({"bias", Role::bias, {filters}});
  return result;
}

template <class Real>
void Conv2D::forward(const BasicCall<Real>& call) const {
  const Sliding s = sliding(call, window());
  const auto x = call.x(), w = call.parameter(Role::kernel), b = call.parameter(Role::bias);
  const auto y = call.y();
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const std::int64_t out = s.output_at(n, oy, ox);
    for (std::int64_t f = 0; f < filters; ++f) y[out + f] = b.empty() ? Real{0} : b[f];
  });
  for_each_product(s, groups, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    y[yi] += x[xi] * w[wi];
  });
}

template <class Real>
void Conv2D::backward(const BasicCall<Real>& call) const {
  const Sliding s = sliding(call, window());
  const auto dy = call.dy();
  if (const auto dw = call.gradient(Role::kernel); !dw.empty()) {
    parameter_gradients(s, groups, call.x(), dy, dw, call.gradient(Role::bias));
  }
  const auto dx = call.dx();
  if (dx.empty()) return;
  const auto w = call.parameter(Role::kernel);
  std::fill(dx.begin(), dx.end(), Real{0});
  for_each_product(s, groups, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    dx[xi] += dy[yi] * w[wi];
  });
}

MILLRACE_LOOPS_OF(Conv2D)

}  // namespace millrace::nn

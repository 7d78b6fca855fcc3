#include <millrace/nn/layers/dense.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <array>

namespace millrace::nn {
namespace {

using reference::Call;
using reference::In;
using reference::Out;

/// Outputs `first` to `first` + count of one sample. Several sums at a time, because an addition
/// waits for the one before it in its own sum alone; each sum has the order of the inputs.
template <std::int64_t count>
void some_units(std::int64_t inputs, const double* x, In w, In b, double* y, std::int64_t first) {
  std::array<double, static_cast<std::size_t>(count)> sums{};
  for (std::int64_t u = 0; u < count && !b.empty(); ++u) {
    sums[static_cast<std::size_t>(u)] = b[first + u];
  }
  const double* const rows = w.begin() + first * inputs;
  for (std::int64_t i = 0; i < inputs; ++i) {
    for (std::int64_t u = 0; u < count; ++u) {
      sums[static_cast<std::size_t>(u)] += x[i] * rows[u * inputs + i];
    }
  }
  std::copy(sums.begin(), sums.end(), y + first);
}

void data_gradient(const Call& call, std::int64_t inputs, std::int64_t units, Out dx) {
  const In dy = call.dy(), w = call.parameter(Role::kernel);
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      double sum = 0;
      for (std::int64_t u = 0; u < units; ++u) sum += dy[n * units + u] * w[u * inputs + i];
      dx[n * inputs + i] = sum;
    }
  }
}

void parameter_gradients(const Call& call, std::int64_t inputs, std::int64_t units, Out dw,
                         Out db) {
  const In x = call.x(), dy = call.dy();
  std::fill(dw.begin(), dw.end(), 0.0);
  std::fill(db.begin(), db.end(), 0.0);
  // A unit after the other, so that its row of dw stays in the cache while samples are added up.
  for (std::int64_t u = 0; u < units; ++u) {
    for (std::int64_t n = 0; n < call.samples; ++n) {
      const double d = dy[n * units + u];
      for (std::int64_t i = 0; i < inputs; ++i) dw[u * inputs + i] += d * x[n * inputs + i];
      if (!db.empty()) db[u] += d;
    }
  }
}

}  // namespace

void Dense::list(FieldList& fields) {
  fields.required("units", &units);
  fields.optional("bias", &bias);
}

LayerShape Dense::infer(const LayerInput& input) const {
  const Shape& from = input.shape();
  input.require(from.rank() == 1, "dense needs [features], not ", from,
                "; put flatten or global_avg_pool before it");
  const std::int64_t kernel = input.product({input.positive("units", units), from[0]});
  LayerShape result{.output = {units},
                    .parameters = {{"weight", Role::kernel, {units, from[0]}}},
                    .fan_in = from[0],
                    .fan_out = units,
                    .flops = 2 * kernel};
  if (bias) result.parameters.push_back({"bias", Role::bias, {units}});
  return result;
}

void Dense::forward(const Call& call) const {
  constexpr std::int64_t kAbreast = 8;
  const In x = call.x(), w = call.parameter(Role::kernel), b = call.parameter(Role::bias);
  const std::int64_t inputs = call.input()[0];
  for (std::int64_t n = 0; n < call.samples; ++n) {
    const double* const in = x.begin() + n * inputs;
    double* const out = call.y().begin() + n * units;
    std::int64_t u = 0;
    for (; u + kAbreast <= units; u += kAbreast) some_units<kAbreast>(inputs, in, w, b, out, u);
    for (; u < units; ++u) some_units<1>(inputs, in, w, b, out, u);
  }
}

void Dense::backward(const Call& call) const {
  const Out dx = call.dx(), dw = call.gradient(Role::kernel);
  if (!dx.empty()) data_gradient(call, call.input()[0], units, dx);
  if (!dw.empty()) parameter_gradients(call, call.input()[0], units, dw, call.gradient(Role::bias));
}

}  // namespace millrace::nn

#include <millrace/nn/layers/dense.h>

#include <millrace/nn/reference/call.h>

#include <algorithm>
#include <array>

namespace millrace::nn {
namespace {

using reference::BasicCall;
using reference::Flat;

/// Outputs `first` to `first` + count of one sample. Several sums at a time, because an addition
/// waits for the one before it in its own sum alone; each sum has the order of the inputs.
template <std::int64_t count, class Real>
void some_units(std::int64_t inputs, const Real* x, Flat<const Real> w, Flat<const Real> b, Real* y,
                std::int64_t first) {
  std::array<Real, static_cast<std::size_t>(count)> sums{};
  for (std::int64_t u = 0; u < count && !b.empty(); ++u) {
    sums[static_cast<std::size_t>(u)] = b[first + u];
  }
  const Real* const rows = w.begin() + first * inputs;
  for (std::int64_t i = 0; i < inputs; ++i) {
    for (std::int64_t u = 0; u < count; ++u) {
      sums[static_cast<std::size_t>(u)] += x[i] * rows[u * inputs + i];
    }
  }
  std::copy(sums.begin(), sums.end(), y + first);
}

template <class Real>
void data_gradient(const BasicCall<Real>& call, std::int64_t inputs, std::int64_t units,
                   Flat<Real> dx) {
  const auto dy = call.dy(), w = call.parameter(Role::kernel);
  for (std::int64_t n = 0; n < call.samples; ++n) {
    for (std::int64_t i = 0; i < inputs; ++i) {
      Real sum = 0;
      for (std::int64_t u = 0; u < units; ++u) sum += dy[n * units + u] * w[u * inputs + i];
      dx[n * inputs + i] = sum;
    }
  }
}

template <class Real>
void parameter_gradients(const BasicCall<Real>& call, std::int64_t inputs, std::int64_t units,
                         Flat<Real> dw, Flat<Real> db) {
  const auto x = call.x(), dy = call.dy();
  std::fill(dw.begin(), dw.end(), Real{0});
  std::fill(db.begin(), db.end(), Real{0});
  // A unit after the other, so that its row of dw stays in the cache while samples are added up.
  for (std::int64_t u = 0; u < units; ++u) {
    for (std::int64_t n = 0; n < call.samples; ++n) {
      const Real d = dy[n * units + u];
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

template <class Real>
void Dense::forward(const BasicCall<Real>& call) const {
  constexpr std::int64_t kAbreast = 8;
  const auto x = call.x(), w = call.parameter(Role::kernel), b = call.parameter(Role::bias);
  const std::int64_t inputs = call.input()[0];
  for (std::int64_t n = 0; n < call.samples; ++n) {
    const Real* const in = x.begin() + n * inputs;
    Real* const out = call.y().begin() + n * units;
    std::int64_t u = 0;
    for (; u + kAbreast <= units; u += kAbreast) some_units<kAbreast>(inputs, in, w, b, out, u);
    for (; u < units; ++u) some_units<1>(inputs, in, w, b, out, u);
  }
}

template <class Real>
void Dense::backward(const BasicCall<Real>& call) const {
  const auto dx = call.dx(), dw = call.gradient(Role::kernel);
  if (!dx.empty()) data_gradient(call, call.input()[0], units, dx);
  if (!dw.empty()) parameter_gradients(call, call.input()[0], units, dw, call.gradient(Role::bias));
}

MILLRACE_LOOPS_OF(Dense)

}  // namespace millrace::nn

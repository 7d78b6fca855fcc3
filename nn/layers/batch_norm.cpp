#include <millrace/nn/layers/batch_norm.h>

#include <millrace/nn/reference/call.h>

#include <cmath>

namespace millrace::nn {
namespace {

using reference::BasicCall;
using reference::Flat;

template <class Real>
std::int64_t rows_of(const BasicCall<Real>& call) {
  return call.samples * call.pixels();
}

/// Mean and variance of the batch, and the running ones moved by them.
template <class Real>
void find_statistics(const BatchNorm& norm, const BasicCall<Real>& call, Flat<Real> mean,
                     Flat<Real> variance) {
  const auto x = call.x();
  const auto running_mean = call.out(operand::parameter(Role::running_mean));
  const auto running_variance = call.out(operand::parameter(Role::running_variance));
  const std::int64_t rows = rows_of(call), channels = call.channels();
  const auto count = static_cast<Real>(rows);
  const auto momentum = static_cast<Real>(norm.momentum);
  for (std::int64_t c = 0; c < channels; ++c) {
    Real sum = 0;
    for (std::int64_t r = 0; r < rows; ++r) sum += x[r * channels + c];
    mean[c] = sum / count;
    Real squares = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      squares += (x[r * channels + c] - mean[c]) * (x[r * channels + c] - mean[c]);
    }
    variance[c] = squares / count;
    // One value has no unbiased variance; its biased one is 0.
    const bool is_biased = norm.biased_variance || rows == 1;
    const Real kept = is_biased ? variance[c] : squares / (count - 1);
    running_mean[c] = momentum * running_mean[c] + (1 - momentum) * mean[c];
    running_variance[c] = momentum * running_variance[c] + (1 - momentum) * kept;
  }
}

/// Statistics are constants: a factor a channel.
template <class Real>
void frozen_backward(const BatchNorm& norm, const BasicCall<Real>& call) {
  const auto dy = call.dy(), gamma = call.parameter(Role::gamma);
  const auto variance = call.parameter(Role::running_variance);
  const auto dx = call.dx();
  const std::int64_t channels = call.channels();
  for (std::int64_t c = 0; c < channels; ++c) {
    const Real slope = gamma[c] / std::sqrt(variance[c] + static_cast<Real>(norm.epsilon));
    for (std::int64_t r = 0; r < rows_of(call); ++r) {
      dx[r * channels + c] = slope * dy[r * channels + c];
    }
  }
}

}  // namespace

void BatchNorm::list(FieldList& fields) {
  fields.optional("momentum", &momentum);
  fields.optional("epsilon", &epsilon);
  fields.optional("biased_variance", &biased_variance);
}

LayerShape BatchNorm::infer(const LayerInput& input) const {
  input.require(momentum >= 0 && momentum <= 1, "momentum must be in [0, 1], not ", momentum);
  input.require(epsilon > 0 && epsilon < 1, "epsilon must be in (0, 1), not ", epsilon);
  const Shape channels{input.shape()[-1]};
  return {.output = input.shape(),
          .parameters = {{"weight", Role::gamma, channels, 1},
                         {"bias", Role::beta, channels},
                         {"running_mean", Role::running_mean, channels},
                         {"running_var", Role::running_variance, channels, 1}},
          .saved = {{"mean", channels, false}, {"variance", channels, false}}};
}

Derivative BatchNorm::derivative(bool trains) const {
  const Operand gamma = operand::parameter(Role::gamma);
  if (!trains) return {.data = {gamma, operand::parameter(Role::running_variance)}};
  return {.data = {operand::x, gamma, operand::saved(kMean), operand::saved(kVariance)},
          .at_once = true};
}

template <class Real>
void BatchNorm::forward(const BasicCall<Real>& call) const {
  const bool uses_batch = !call.saved(kMean).empty();
  if (uses_batch) find_statistics(*this, call, call.saved(kMean), call.saved(kVariance));
  const auto mean =
      uses_batch ? call.in(operand::saved(kMean)) : call.parameter(Role::running_mean);
  const auto variance =
      uses_batch ? call.in(operand::saved(kVariance)) : call.parameter(Role::running_variance);
  const auto x = call.x(), gamma = call.parameter(Role::gamma), beta = call.parameter(Role::beta);
  const auto y = call.y();
  const std::int64_t channels = call.channels();
  for (std::int64_t c = 0; c < channels; ++c) {
    const Real deviation = std::sqrt(variance[c] + static_cast<Real>(epsilon));
    for (std::int64_t r = 0; r < rows_of(call); ++r) {
      const std::int64_t at = r * channels + c;
      y[at] = gamma[c] * (x[at] - mean[c]) / deviation + beta[c];
    }
  }
}

// With m values in a channel and h = (x - mean) / deviation:
//   dx = gamma / deviation * (dy - sum(dy) / m - h sum(dy h) / m)
// (Ioffe and Szegedy 2015, section 3, with the chain through mean and variance worked out).
template <class Real>
void BatchNorm::backward(const BasicCall<Real>& call) const {
  const auto dgamma = call.gradient(Role::gamma), dbeta = call.gradient(Role::beta);
  if (dgamma.empty()) return frozen_backward(*this, call);
  const auto dy = call.dy(), x = call.x(), gamma = call.parameter(Role::gamma);
  const auto mean = call.in(operand::saved(kMean)), variance = call.in(operand::saved(kVariance));
  const auto dx = call.dx();
  const std::int64_t rows = rows_of(call), channels = call.channels();
  const auto count = static_cast<Real>(rows);
  for (std::int64_t c = 0; c < channels; ++c) {
    const Real deviation = std::sqrt(variance[c] + static_cast<Real>(epsilon));
    const auto normal = [&](std::int64_t at) { return (x[at] - mean[c]) / deviation; };
    Real sum = 0;
    Real product = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * channels + c;
      sum += dy[at];
      product += dy[at] * normal(at);
    }
    dgamma[c] = product;
    dbeta[c] = sum;
    if (dx.empty()) continue;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * channels + c;
      dx[at] = gamma[c] / deviation * (dy[at] - sum / count - normal(at) * product / count);
    }
  }
}

MILLRACE_LOOPS_OF(BatchNorm)

}  // namespace millrace::nn

#include <millrace/nn/layers/batch_norm.h>

#include <millrace/nn/reference/call.h>

#include <cmath>

namespace millrace::nn {
namespace {

using reference::Call;
using reference::In;
using reference::Out;

std::int64_t rows_of(const Call& call) {
  return call.samples * call.pixels();
}

/// Mean and variance of the batch, and the running ones moved by them.
void find_statistics(const BatchNorm& norm, const Call& call, Out mean, Out variance) {
  const In x = call.x();
  const Out running_mean = call.out(operand::parameter(Role::running_mean));
  const Out running_variance = call.out(operand::parameter(Role::running_variance));
  const std::int64_t rows = rows_of(call), channels = call.channels();
  const auto count = static_cast<double>(rows);
  const double momentum = double{norm.momentum};
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (std::int64_t r = 0; r < rows; ++r) sum += x[r * channels + c];
    mean[c] = sum / count;
    double squares = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      squares += (x[r * channels + c] - mean[c]) * (x[r * channels + c] - mean[c]);
    }
    variance[c] = squares / count;
    // One value has no unbiased variance; its biased one is 0.
    const bool is_biased = norm.biased_variance || rows == 1;
    const double kept = is_biased ? variance[c] : squares / (count - 1);
    running_mean[c] = momentum * running_mean[c] + (1 - momentum) * mean[c];
    running_variance[c] = momentum * running_variance[c] + (1 - momentum) * kept;
  }
}

/// Statistics are constants: a factor a channel.
void frozen_backward(const BatchNorm& norm, const Call& call) {
  const In dy = call.dy(), gamma = call.parameter(Role::gamma);
  const In variance = call.parameter(Role::running_variance);
  const Out dx = call.dx();
  const std::int64_t channels = call.channels();
  for (std::int64_t c = 0; c < channels; ++c) {
    const double slope = gamma[c] / std::sqrt(variance[c] + double{norm.epsilon});
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

void BatchNorm::forward(const Call& call) const {
  const bool uses_batch = !call.saved(kMean).empty();
  if (uses_batch) find_statistics(*this, call, call.saved(kMean), call.saved(kVariance));
  const In mean = uses_batch ? call.in(operand::saved(kMean)) : call.parameter(Role::running_mean);
  const In variance =
      uses_batch ? call.in(operand::saved(kVariance)) : call.parameter(Role::running_variance);
  const In x = call.x(), gamma = call.parameter(Role::gamma), beta = call.parameter(Role::beta);
  const Out y = call.y();
  const std::int64_t channels = call.channels();
  for (std::int64_t c = 0; c < channels; ++c) {
    const double deviation = std::sqrt(variance[c] + double{epsilon});
    for (std::int64_t r = 0; r < rows_of(call); ++r) {
      const std::int64_t at = r * channels + c;
      y[at] = gamma[c] * (x[at] - mean[c]) / deviation + beta[c];
    }
  }
}

// With m values in a channel and h = (x - mean) / deviation:
//   dx = gamma / deviation * (dy - sum(dy) / m - h sum(dy h) / m)
// (Ioffe and Szegedy 2015, section 3, with the chain through mean and variance worked out).
void BatchNorm::backward(const Call& call) const {
  const Out dgamma = call.gradient(Role::gamma), dbeta = call.gradient(Role::beta);
  if (dgamma.empty()) return frozen_backward(*this, call);
  const In dy = call.dy(), x = call.x(), gamma = call.parameter(Role::gamma);
  const In mean = call.in(operand::saved(kMean)), variance = call.in(operand::saved(kVariance));
  const Out dx = call.dx();
  const std::int64_t rows = rows_of(call), channels = call.channels();
  const auto count = static_cast<double>(rows);
  for (std::int64_t c = 0; c < channels; ++c) {
    const double deviation = std::sqrt(variance[c] + double{epsilon});
    const auto normal = [&](std::int64_t at) { return (x[at] - mean[c]) / deviation; };
    double sum = 0;
    double product = 0;
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

}  // namespace millrace::nn

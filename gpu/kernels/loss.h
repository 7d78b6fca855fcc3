#pragma once
// Loss, gradient and right answers of a row of logits: the formulas of nn/loss.cpp, for host and
// device. Exponentials of a softmax are float32, everything else is float64: what is lost is 1e-7
// of a probability, and a GPU makes double exponentials slowly.

#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels/element.h>
#include <millrace/gpu/scalars.h>

#include <cmath>
#include <cstdint>

namespace millrace::gpu {

/// What the rows of a batch are compared with: one class each by number, or a value an output.
struct Targets {
  const std::int32_t* indices = nullptr;  ///< [samples], or null
  const float* rows = nullptr;            ///< [samples][outputs]
  std::int64_t outputs = 0, classes = 0;
  double keep = 1, lift = 0;  ///< label smoothing makes y keep * y + lift

  MILLRACE_HOST_DEVICE bool has_class(std::int64_t n) const {
    return indices == nullptr || (indices[n] >= 0 && indices[n] < classes);
  }
  MILLRACE_HOST_DEVICE double smoothed(double y) const { return y * keep + lift; }
};

/// What both losses share. T is the storage type of dlogits.
template <class T>
struct LossRows {
  const float* logits;
  Targets targets;
  const float* weights;  ///< or null: all 1
  T* dlogits;            ///< or null
  double* losses;
  std::uint8_t* right;
  std::int64_t stored;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE double weight(std::int64_t n) const {
    return weights == nullptr ? 1.0 : static_cast<double>(weights[n]);
  }
  MILLRACE_HOST_DEVICE double gradient_scale(std::int64_t n) const {
    return weight(n) / static_cast<double>(scalars->samples) * scalars->loss_scale.scale;
  }
  /// Rows that are not valid, and those whose label is no class. True if there is nothing to do.
  MILLRACE_HOST_DEVICE bool leaves_out(std::int64_t n) const {
    const bool is_valid = n < scalars->samples;
    if (is_valid && targets.has_class(n)) return false;
    losses[n] = is_valid ? static_cast<double>(NAN) : 0.0;
    right[n] = 0;
    clear(n, 0);
    return true;
  }
  MILLRACE_HOST_DEVICE void clear(std::int64_t n, std::int64_t first) const {
    if (dlogits == nullptr) return;
    for (std::int64_t j = first; j < stored; ++j) store(dlogits + n * stored + j, 0.0F);
  }
};

/// The first of the largest.
MILLRACE_HOST_DEVICE inline std::int64_t first_maximum(const float* x, std::int64_t count) {
  std::int64_t best = 0;
  for (std::int64_t j = 1; j < count; ++j) {
    if (x[best] < x[j]) best = j;
  }
  return best;
}

/// -sum_j y_j log softmax(x)_j, the maximum taken out so that no exponential overflows. Its
/// derivative by x_j is (sum y) softmax(x)_j - y_j.
template <class T>
struct SoftmaxLoss {
  LossRows<T> rows;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t n) const {
    if (rows.leaves_out(n)) return;
    const Targets& targets = rows.targets;
    const std::int64_t outputs = targets.outputs;
    const float* const x = rows.logits + n * rows.stored;
    const float* const label_row =
        targets.indices == nullptr ? targets.rows + n * outputs : nullptr;
    const std::int64_t label =
        label_row == nullptr ? targets.indices[n] : first_maximum(label_row, outputs);
    const std::int64_t answer = first_maximum(x, outputs);
    const float highest = x[answer];

    double exponentials = 0, mass = 0, distance = 0;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double y = target(label_row, label, j);
      exponentials += static_cast<double>(std::exp(x[j] - highest));
      mass += y;
      if (y != 0) distance += y * (static_cast<double>(highest) - static_cast<double>(x[j]));
    }
    rows.losses[n] = rows.weight(n) * (mass * std::log(exponentials) + distance);
    rows.right[n] = answer == label ? 1 : 0;
    if (rows.dlogits == nullptr) return;

    T* const gradient = rows.dlogits + n * rows.stored;
    const double scale = rows.gradient_scale(n);
    const double share = mass / exponentials;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const double p = share * static_cast<double>(std::exp(x[j] - highest));
      store(gradient + j, static_cast<float>(scale * (p - target(label_row, label, j))));
    }
    rows.clear(n, outputs);
  }

  MILLRACE_HOST_DEVICE double target(const float* label_row, std::int64_t label,
                                     std::int64_t j) const {
    if (label_row == nullptr) return rows.targets.smoothed(j == label ? 1.0 : 0.0);
    return rows.targets.smoothed(static_cast<double>(label_row[j]));
  }
};

/// The mean over outputs of max(x, 0) - x y + log(1 + exp(-|x|)); its derivative by x is
/// (sigmoid(x) - y) / outputs.
template <class T>
struct SigmoidLoss {
  LossRows<T> rows;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t n) const {
    if (rows.leaves_out(n)) return;
    const Targets& targets = rows.targets;
    const std::int64_t outputs = targets.outputs;
    const float* const logits = rows.logits + n * rows.stored;
    const double scale = rows.gradient_scale(n) / static_cast<double>(outputs);
    double loss = 0;
    bool is_right = true;
    for (std::int64_t j = 0; j < outputs; ++j) {
      const auto x = static_cast<double>(logits[j]);
      const double label = targets.indices != nullptr
                               ? static_cast<double>(targets.indices[n])
                               : static_cast<double>(targets.rows[n * outputs + j]);
      const double y = targets.smoothed(label);
      const double small = std::exp(-std::fabs(x));  // never an exponential of a positive number
      loss += (x > 0 ? x : 0.0) - x * y + std::log1p(small);
      is_right = is_right && (x > 0) == (label > 0.5);
      if (rows.dlogits == nullptr) continue;
      const double p = (x >= 0 ? 1.0 : small) / (1 + small);
      store(rows.dlogits + n * rows.stored + j, static_cast<float>(scale * (p - y)));
    }
    rows.losses[n] = rows.weight(n) * loss / static_cast<double>(outputs);
    rows.right[n] = is_right ? 1 : 0;
    rows.clear(n, outputs);
  }
};

/// One call. Rows are added in order.
template <bool kHasWeights>
struct LossTotals {
  const double* losses;
  const float* weights;
  const std::uint8_t* right;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const {
    const std::int64_t samples = scalars->samples;
    double loss = 0, weight = 0;
    std::int64_t correct = 0;
#pragma unroll 16  // loads of many rows at a time
    for (std::int64_t n = 0; n < samples; ++n) {
      loss += losses[n];
      weight += kHasWeights ? static_cast<double>(weights[n]) : 1.0;
      correct += right[n];
    }
    scalars->loss_sum += loss + scalars->penalty * static_cast<double>(samples);
    scalars->weight_sum += weight;
    scalars->correct += correct;
    scalars->counted += samples;
  }
};

}  // namespace millrace::gpu

#include <millrace/gpu/kernels/loss.h>

#include <millrace/gpu/kernels/kernel.h>
#include <millrace/nn/losses/loss_row.h>

#include <cmath>

namespace millrace::gpu {

/// What the rows of a batch are compared with: one class each by number, or a value an output.
struct Targets {
  const std::int32_t* indices = nullptr;  ///< [samples], or null
  const float* rows = nullptr;            ///< [samples][outputs]
  std::int64_t outputs = 0, classes = 0;
  nn::Smoothing smoothing{};

  MILLRACE_HOST_DEVICE bool has_class(std::int64_t n) const {
    return indices == nullptr || (indices[n] >= 0 && indices[n] < classes);
  }
  MILLRACE_HOST_DEVICE nn::Target of(std::int64_t n) const {
    if (indices == nullptr) return {rows + n * outputs, 0, smoothing};
    return {nullptr, indices[n], smoothing};
  }
};

/// Where the derivatives of a row go; null: nowhere.
template <class T>
struct StoredRow {
  T* values;
  MILLRACE_HOST_DEVICE explicit operator bool() const { return values != nullptr; }
  MILLRACE_HOST_DEVICE void operator()(std::int64_t j, double value) const {
    store(values + j, static_cast<float>(value));
  }
};

/// A row a call. T is the storage type of dlogits.
template <class T, class Loss>
struct LossRows {
  const float* logits;
  Targets targets;
  const float* weights;  ///< or null: all 1
  bool weighs_outputs;   ///< weights are [samples][outputs]
  T* dlogits;            ///< or null
  double* losses;        ///< and behind them, with weights of outputs, each row's mean of those
  std::uint8_t* right;
  std::int64_t rows, stored;
  const Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t n) const {
    const bool is_valid = n < scalars->samples;
    T* const row = dlogits == nullptr ? nullptr : dlogits + n * stored;
    if (!is_valid || !targets.has_class(n)) {
      if (weighs_outputs) losses[rows + n] = 0;
      losses[n] = is_valid ? static_cast<double>(NAN) : 0.0;
      right[n] = 0;
      clear(row, 0);
      return;
    }
    nn::Target target = targets.of(n);
    double weight = 1;
    if (weighs_outputs) {
      target.weights = weights + n * targets.outputs;
      losses[rows + n] = mean_weight(target.weights);
    } else if (weights != nullptr) {
      weight = static_cast<double>(weights[n]);
    }
    const double scale = weight / static_cast<double>(scalars->samples) * scalars->loss_scale.scale;
    const nn::LossRow result = Loss::template evaluate<nn::FastMath>(
        logits + n * stored, targets.outputs, target, scale, StoredRow<T>{row});
    losses[n] = weight * result.loss;
    right[n] = result.is_right ? 1 : 0;
    clear(row, targets.outputs);
  }
  [[nodiscard]] MILLRACE_HOST_DEVICE double mean_weight(const float* of) const {
    double sum = 0;
    for (std::int64_t j = 0; j < targets.outputs; ++j) sum += static_cast<double>(of[j]);
    return sum / static_cast<double>(targets.outputs);
  }
  MILLRACE_HOST_DEVICE void clear(T* row, std::int64_t first) const {
    if (row == nullptr) return;
    for (std::int64_t j = first; j < stored; ++j) store(row + j, 0.0F);
  }
};

/// One call. Rows are added in order.
template <bool kHasWeights, class Weight>
struct LossTotals {
  const double* losses;
  const Weight* weights;  ///< of rows
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
    Results& results = scalars->in_group != 0 ? scalars->of_group : scalars->results;
    results.add({loss + scalars->penalty * static_cast<double>(samples), weight, correct, samples});
  }
};

namespace {

Targets targets_of(Launcher& at, const void* labels, const LossSize& size) {
  const nn::LossInfo& info = nn::loss_info(size.loss);
  MILLRACE_CHECK(!size.labels_are_indices || info.takes_class_numbers(size.outputs),
                 "labels by number are not for ", info.name, " of ", size.outputs, " outputs");
  Targets targets;
  if (size.labels_are_indices) {
    targets.indices = at.reads_any<std::int32_t>(labels, size.samples);
  } else {
    targets.rows = at.reads_any<float>(labels, size.samples * size.outputs);
  }
  targets.outputs = size.outputs;
  targets.classes = info.classes(size.outputs);
  targets.smoothing = nn::smoothing_of(size.loss, size.outputs, size.label_smoothing);
  return targets;
}

bool has_weights_of_outputs(const float* weights, const LossSize& size) {
  return weights != nullptr && size.weighs_outputs;
}

}  // namespace

Launch loss(Type type, const float* logits, const void* labels, const float* weights, void* dlogits,
            double* losses, std::uint8_t* right, const LossSize& size, const Scalars* scalars) {
  const std::int64_t elements = size.samples * size.stored;
  const bool weighs = has_weights_of_outputs(weights, size);
  if (weighs) nn::check_weighs_outputs(size.loss);
  const std::int64_t weight_count = size.samples * (weighs ? size.outputs : 1);
  return nn::with_loss(size.loss, [&]<class Kind>() {
    return typed(Kind::kInfo.kernel, type, elements, [&]<class T>(Launcher& at) {
      return at.calls(LossRows<T, Kind>{.logits = at.reads_any<float>(logits, elements),
                                        .targets = targets_of(at, labels, size),
                                        .weights = at.reads_any<float>(weights, weight_count),
                                        .weighs_outputs = weighs,
                                        .dlogits = at.writes_any<T>(dlogits, elements),
                                        .losses = at.writes_any<double>(
                                            losses, size.samples * (weighs ? 2 : 1)),
                                        .right = at.writes_any<std::uint8_t>(right, size.samples),
                                        .rows = size.samples,
                                        .stored = size.stored,
                                        .scalars = at.reads_any<Scalars>(scalars)},
                      size.samples);
    });
  });
}

Launch loss_totals(const double* losses, const float* weights, const std::uint8_t* right,
                   const LossSize& size, Scalars* scalars) {
  Launcher at("loss_totals");
  if (has_weights_of_outputs(weights, size)) {
    const double* const both = at.reads_any<double>(losses, 2 * size.samples);
    return at.calls(LossTotals<true, double>{both, both + size.samples,
                                             at.reads_any<std::uint8_t>(right, size.samples),
                                             at.updates_any<Scalars>(scalars)},
                    1);
  }
  const LossTotals<true, float> totals{
      at.reads_any<double>(losses, size.samples), at.reads_any<float>(weights, size.samples),
      at.reads_any<std::uint8_t>(right, size.samples), at.updates_any<Scalars>(scalars)};
  if (weights != nullptr) return at.calls(totals, 1);
  return at.calls(LossTotals<false, float>{losses, weights, right, scalars}, 1);
}

}  // namespace millrace::gpu

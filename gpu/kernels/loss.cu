#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/loss.h>

#include <millrace/core/error.h>

namespace millrace::gpu {
namespace {

std::size_t count_of(std::int64_t elements) {
  return static_cast<std::size_t>(elements);
}

Targets targets_of(const void* labels, const LossSize& size) {
  const nn::LossInfo& info = nn::loss_info(size.loss);
  MILLRACE_CHECK(!size.labels_are_indices || info.takes_class_numbers(size.outputs),
                 "labels by number are for a softmax or one output, not for ", size.outputs);
  Targets targets;
  if (size.labels_are_indices) {
    targets.indices = static_cast<const std::int32_t*>(labels);
  } else {
    targets.rows = static_cast<const float*>(labels);
  }
  targets.outputs = size.outputs;
  targets.classes = info.classes(size.outputs);
  targets.smoothing = nn::smoothing_of(size.loss, size.outputs, size.label_smoothing);
  return targets;
}

}  // namespace

Launch loss(Type type, const float* logits, const void* labels, const float* weights, void* dlogits,
            double* losses, std::uint8_t* right, const LossSize& size, const Scalars* scalars) {
  const std::size_t rows = count_of(size.samples);
  const std::size_t stored = rows * count_of(size.stored);
  const std::size_t label_bytes = size.labels_are_indices
                                      ? rows * sizeof(std::int32_t)
                                      : rows * count_of(size.outputs) * sizeof(float);
  return with_type(type,
                   [&]<class T>() {
                     return nn::with_loss(size.loss, [&]<class Kind>() {
                       const LossRows<T, Kind> kernel{.logits = logits,
                                                      .targets = targets_of(labels, size),
                                                      .weights = weights,
                                                      .dlogits = static_cast<T*>(dlogits),
                                                      .losses = losses,
                                                      .right = right,
                                                      .stored = size.stored,
                                                      .scalars = scalars};
                       return launch_of(Kind::kInfo.kernel, kernel, size.samples);
                     });
                   })
      .reads(logits, stored * sizeof(float))
      .reads(labels, label_bytes)
      .reads(weights, rows * sizeof(float))
      .reads(scalars, sizeof(Scalars))
      .writes(dlogits, stored * size_of(type))
      .writes(losses, rows * sizeof(double))
      .writes(right, rows);
}

Launch loss_totals(const double* losses, const float* weights, const std::uint8_t* right,
                   const LossSize& size, Scalars* scalars) {
  const std::size_t rows = count_of(size.samples);
  Launch launch =
      weights != nullptr
          ? launch_of("loss_totals", LossTotals<true>{losses, weights, right, scalars}, 1)
          : launch_of("loss_totals", LossTotals<false>{losses, weights, right, scalars}, 1);
  return launch.reads(losses, rows * sizeof(double))
      .reads(weights, rows * sizeof(float))
      .reads(right, rows)
      .reads(scalars, sizeof(Scalars))
      .writes(scalars, sizeof(Scalars));
}

}  // namespace millrace::gpu

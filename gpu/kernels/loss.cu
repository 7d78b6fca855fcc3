#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/loss.h>

#include <millrace/core/error.h>

namespace millrace::gpu {
namespace {

Targets targets_of(Launcher& at, const void* labels, const LossSize& size) {
  const nn::LossInfo& info = nn::loss_info(size.loss);
  MILLRACE_CHECK(!size.labels_are_indices || info.takes_class_numbers(size.outputs),
                 "labels by number are for a softmax or one output, not for ", size.outputs);
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

}  // namespace

Launch loss(Type type, const float* logits, const void* labels, const float* weights, void* dlogits,
            double* losses, std::uint8_t* right, const LossSize& size, const Scalars* scalars) {
  const std::int64_t elements = size.samples * size.stored;
  return nn::with_loss(size.loss, [&]<class Kind>() {
    return typed(Kind::kInfo.kernel, type, elements, [&]<class T>(Launcher& at) {
      return at.calls(LossRows<T, Kind>{.logits = at.reads_any<float>(logits, elements),
                                        .targets = targets_of(at, labels, size),
                                        .weights = at.reads_any<float>(weights, size.samples),
                                        .dlogits = at.writes_any<T>(dlogits, elements),
                                        .losses = at.writes_any<double>(losses, size.samples),
                                        .right = at.writes_any<std::uint8_t>(right, size.samples),
                                        .stored = size.stored,
                                        .scalars = at.reads_any<Scalars>(scalars)},
                      size.samples);
    });
  });
}

Launch loss_totals(const double* losses, const float* weights, const std::uint8_t* right,
                   const LossSize& size, Scalars* scalars) {
  Launcher at("loss_totals");
  const LossTotals<true> totals{
      at.reads_any<double>(losses, size.samples), at.reads_any<float>(weights, size.samples),
      at.reads_any<std::uint8_t>(right, size.samples), at.updates_any<Scalars>(scalars)};
  if (weights != nullptr) return at.calls(totals, 1);
  return at.calls(LossTotals<false>{losses, weights, right, scalars}, 1);
}

}  // namespace millrace::gpu

#pragma once
// All losses: their facts and loops are derived from this list.

#include <millrace/core/error.h>
#include <millrace/core/type_list.h>
#include <millrace/nn/losses/huber.h>
#include <millrace/nn/losses/mean_absolute_error.h>
#include <millrace/nn/losses/mean_squared_error.h>
#include <millrace/nn/losses/sigmoid_cross_entropy.h>
#include <millrace/nn/losses/sigmoid_focal.h>
#include <millrace/nn/losses/softmax_cross_entropy.h>
#include <millrace/nn/losses/softmax_focal.h>

namespace millrace::nn {

using Losses = TypeList<SoftmaxCrossEntropy, SigmoidCrossEntropy, Huber, MeanSquaredError,
                        MeanAbsoluteError, SoftmaxFocal, SigmoidFocal>;

enum class Loss {
  /// labels int32 [N] or float32 [N][K]
  softmax_cross_entropy = Losses::index_of<SoftmaxCrossEntropy>(),
  /// binary cross-entropy; labels int32 [N] with K = 1, or float32 [N][K]
  sigmoid_cross_entropy = Losses::index_of<SigmoidCrossEntropy>(),
  /// of targets that are numbers; labels float32 [N][K]. A sigmoid at the model's end is a layer
  /// like any other
  huber = Losses::index_of<Huber>(),
  mean_squared_error = Losses::index_of<MeanSquaredError>(),
  mean_absolute_error = Losses::index_of<MeanAbsoluteError>(),
  /// of classes, where what is learnt well counts little; labels as for the cross-entropies
  softmax_focal = Losses::index_of<SoftmaxFocal>(),
  sigmoid_focal = Losses::index_of<SigmoidFocal>(),
};

/// Whether it is one of the above, and none that a program brings along (registry.h).
[[nodiscard]] constexpr bool is_of_library(Loss loss) noexcept {
  return static_cast<std::size_t>(loss) < Losses::size;
}

/// Calls use.template operator()<T>() with the T of the loss, which is one of the library's.
template <class Use>
decltype(auto) with_loss(Loss loss, Use&& use) {
  MILLRACE_CHECK(is_of_library(loss), "no loss of the library's: ", static_cast<int>(loss));
  return with_type_at(Losses{}, static_cast<int>(loss), static_cast<Use&&>(use));
}

}  // namespace millrace::nn

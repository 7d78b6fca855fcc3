#pragma once
// Where a model's frozen layers end, and the model cut in two there: what no trained weight feeds
// gives the same features in every epoch, so that they can be computed once.
//
//   const FrontSearch found = find_frozen_front(model);
//   if (found.front) std::cout << found.front->last << " gives " << found.front->features << '\n';

#include <millrace/nn/model.h>

#include <optional>
#include <string>

namespace millrace::nn {

/// A model in two parts.
struct FrozenFront {
  /// The layers up to the cut, of which none trains; its output is a row of features,
  /// [features.elements()].
  Model front;
  /// On features as its input. Its layers have the names and numbers of the whole model's, which
  /// inputs, parameters and what dropout draws go by: those that were cut off pass their input on.
  Model head;
  Shape features;    ///< of one sample, as the head takes them
  std::string last;  ///< the front's last layer
};

struct FrontSearch {
  bool is_frozen = false;  ///< whether any layer with weights is frozen
  std::optional<FrozenFront> front{};
  std::string why_not{};  ///< where layers are frozen and there is no front, else empty
};

/// Cuts the model at the last place that all of its values pass through and before which nothing
/// trains. Where a layer before it that is not frozen draws at random in training (dropout,
/// stochastic depth), so that features would differ from step to step, there is no front. Requires:
/// the model is valid.
[[nodiscard]] FrontSearch find_frozen_front(const Model& model);

}  // namespace millrace::nn

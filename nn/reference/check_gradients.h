#pragma once
// Checks that a backward pass is the derivative of its forward pass: compares gradients of the
// float64 reference engine with finite differences of its loss. For authors of a layer or a loss:
//   REQUIRE(nn::check_gradients(Mish{}, {4, 4, 3}).largest_error < 1e-6);

#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::nn {

struct GradientCheckOptions {
  std::uint64_t seed = 1;  ///< of parameters, samples, labels and directions
  std::int64_t samples = 3;
  std::optional<Loss> loss{};  ///< default_loss(model) if absent
  double label_smoothing = 0;
  double l2 = 0;
  /// Along this many random directions a parameter; 0: along each of its elements.
  int directions = 0;
};

struct GradientCheck {
  /// |gradient - difference|, by the largest of all that were compared; infinite where a gradient
  /// is not a number.
  double largest_error = 0;
  std::string where;        ///< the parameter where it is that large
  std::int64_t checks = 0;  ///< how many derivatives were compared
  int drawn_again = 0;      ///< how often parameters and samples were chosen again: see below
};

/// Of all trainable parameters of a model. Central differences of step h = 1e-5 are compared with
/// those of h / 2: where they differ, something is at a kink (a ReLU at 0, two equal
/// pixels), and parameters and samples are chosen again. Throws Error if that does not help
/// in 20 tries, because the loss jumps or depends on something else than parameters and samples,
/// and where it is not a number.
[[nodiscard]] GradientCheck check_gradients(const Model& model,
                                            const GradientCheckOptions& options = {});

/// Of a kind of layer: its own parameters, and what it passes on to layers before it, one for each
/// of its inputs. Throws as infer_shapes() where the kind cannot take images or features of this
/// shape.
[[nodiscard]] GradientCheck check_gradients(const LayerKind& kind, const Shape& input,
                                            const GradientCheckOptions& options = {});

}  // namespace millrace::nn

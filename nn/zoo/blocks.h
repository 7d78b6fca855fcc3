#pragma once
// What several families of networks are made of. Names are given by the family: those of its
// weights are the library's, and layers without weights are named after them, "conv1.relu",
// "layer1.0.add".

#include <millrace/nn/layers/layer.h>
#include <millrace/nn/model.h>
#include <millrace/nn/zoo/zoo_options.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::nn::zoo {

/// What libraries do differently in networks of one name.
struct Convention {
  bool same = false;  ///< TensorFlow's "same"; else half of the window at each side
  bool bias = false;  ///< of convolutions before a batch norm
  float momentum = 0.9F, epsilon = 1e-5F;
  bool biased_variance = false;  ///< Keras's

  [[nodiscard]] Padding padding(std::int64_t size) const {
    return same ? Padding::same : Padding::all(size / 2);
  }
};
inline constexpr Convention kTorch{};
/// Of batch norms alone.
[[nodiscard]] constexpr Convention keras_norms(float momentum, float epsilon, bool same) {
  return {.same = same, .momentum = momentum, .epsilon = epsilon, .biased_variance = true};
}

struct ConvNames {
  std::string conv{}, norm{};
};

/// A convolution, its batch norm and an activation.
struct ConvNorm {
  ConvNames names{};
  std::int64_t filters = 0;
  std::int64_t size = 1, stride = 1;
  std::int64_t groups = 1;
  std::optional<LayerKind> activation{};
};
void add_conv_norm(ModelBuilder& builder, const Convention& convention, const ConvNorm& options);

/// A gate for each channel, from the means of all: pooling, two 1x1 convolutions.
struct SqueezeExcitation {
  std::string reduce{}, expand{};  ///< names of the convolutions
  std::int64_t channels = 0, squeezed = 0;
  LayerKind activation{}, gate{};
};
void add_squeeze_excitation(ModelBuilder& builder, const SqueezeExcitation& options);

/// A 1x1 convolution to `width` channels (none if there are as many already), a depthwise one,
/// perhaps a gate, and a 1x1 convolution to `filters`; with the sum of its input, if it has its
/// shape.
struct InvertedResidual {
  std::string name{};  ///< its sum is NAME.add
  ConvNames expand{}, depthwise{}, project{};
  std::int64_t inputs = 0, width = 0, filters = 0;
  std::int64_t size = 3, stride = 1;
  LayerKind activation{};
  std::optional<SqueezeExcitation> gate{};
  float stochastic_depth = 0;  ///< its rate

  [[nodiscard]] bool expands() const { return width != inputs; }
};
void add_inverted_residual(ModelBuilder& builder, const Convention& convention,
                           const InvertedResidual& options);

/// Adds a dense layer `name` and its sigmoid (one output) or softmax (more).
void add_output(ModelBuilder& builder, const std::string& name, std::int64_t outputs);
/// Only the sigmoid or softmax.
void add_probabilities(ModelBuilder& builder, std::int64_t outputs);

/// A number of channels times a factor as a multiple of 8, at most a tenth below.
[[nodiscard]] std::int64_t rounded_width(double channels) noexcept;

}  // namespace millrace::nn::zoo

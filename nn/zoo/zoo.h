#pragma once
// Models by name, for the command line.

#include <millrace/nn/model.h>

#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

/// "mlp:500,100"        flatten, dense layers of these widths with ReLU, dense output
/// "cnn"                the small Keras convnet: 3x3 convolutions 32-64-128-128, ReLU and 2x2 max
///                      pooling after each, flatten, dense 512 with ReLU, dense output
/// "cnn:16,32:64"       the same with other widths: convolutions before the colon, dense after it
/// "cnn:16,32:64:0.3"   the same with dropout of this rate before each dense layer, the last
///                      included
/// "resnet50", ...      the networks of the other headers in this folder, and after a colon, as far
///                      as the network has them, "keras" (Keras's form of it), a width ("0.5"), and
///                      "dropout" or "no-dropout", where the other is usual:
///                      "mobilenet_v2:0.5:keras"
/// `outputs` 1 ends in a sigmoid, more in a softmax. Input: {height, width, channels} or {features}
/// (mlp only). The model's name is `spec`. Throws UsageError: another name, for which it lists the
/// known ones, or an input that the network cannot take.
[[nodiscard]] Model zoo_model(std::string_view spec, const Shape& input, std::int64_t outputs,
                              Initializer initializer = Initializer::glorot_uniform);

/// Whether what is before the first colon is a name of the zoo.
[[nodiscard]] bool in_zoo(std::string_view spec) noexcept;

/// The networks of the zoo that others publish too, by name: "resnet18", ...
[[nodiscard]] std::vector<std::string_view> zoo_networks();

/// A line a model, for --help.
[[nodiscard]] std::vector<std::string> zoo_help();

/// Keras's name of a layer with weights of the network `spec`; empty where Keras does not have the
/// network, or the layer.
[[nodiscard]] std::string zoo_keras_name(std::string_view spec, std::string_view layer);

/// The spec of the form that weights of Keras, or of PyTorch, are of: "mobilenet_v2:keras" for
/// "mobilenet_v2". Empty if `spec` is of that form, the network has one form alone, or it is none
/// of the zoo.
[[nodiscard]] std::string zoo_other_form(std::string_view spec, bool of_keras);

/// A tensor of a file of PyTorch's.
struct TorchTensor {
  std::string name;
  Shape shape;
};
/// What torchvision makes of a parameter: nearly always the same.
[[nodiscard]] TorchTensor zoo_torch_tensor(const Model& model, const Parameter& parameter);

}  // namespace millrace::nn

#pragma once
// What options say about optimizers and losses, from nn's lists of them.

#include <millrace/nn/optimizer.h>

#include <optional>
#include <string>

namespace millrace {

/// "sgd, adam (default), ...".
[[nodiscard]] std::string optimizer_help();
/// "default 0.01 for sgd and rmsprop, else 0.001".
[[nodiscard]] std::string learning_rate_help();
/// "of sgd, rmsprop; default 0".
[[nodiscard]] std::string momentum_help();
/// "of adam; default 1e-8, keras_adam 1e-7", for beta1, beta2 or epsilon.
[[nodiscard]] std::string usual_help(std::optional<double> nn::OptimizerInfo::*option);
/// "sgd or rmsprop".
[[nodiscard]] std::string optimizers_with_momentum();
[[nodiscard]] std::string optimizers_with_nesterov();

/// "categorical_crossentropy, ...; default: that of the model's last layer".
[[nodiscard]] std::string loss_help();

}  // namespace millrace

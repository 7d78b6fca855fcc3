#pragma once
// What options say about optimizers and losses, from nn's lists of them.

#include <millrace/nn/optimizer.h>

#include <optional>
#include <string>

namespace millrace {

/// "sgd, adam, ...".
[[nodiscard]] std::string optimizer_help();
/// "0.01 for sgd and rmsprop, else 0.001".
[[nodiscard]] std::string usual_learning_rates();
/// "of sgd, rmsprop".
[[nodiscard]] std::string momentum_help();
/// Of beta1, beta2 or epsilon: "of adam".
[[nodiscard]] std::string of_optimizers(std::optional<double> nn::OptimizerInfo::*option);
/// "1e-8, keras_adam 1e-7".
[[nodiscard]] std::string usual_values(std::optional<double> nn::OptimizerInfo::*option);
/// "sgd or rmsprop".
[[nodiscard]] std::string optimizers_with_momentum();
[[nodiscard]] std::string optimizers_with_nesterov();

/// "categorical_crossentropy, ...".
[[nodiscard]] std::string loss_help();

}  // namespace millrace

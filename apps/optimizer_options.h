#pragma once
// What options say about optimizers: their help and checks, from nn's list of them.

#include <millrace/nn/optimizer.h>

#include <optional>
#include <string>

namespace millrace::apps {

/// "sgd, adam (default), ...".
[[nodiscard]] std::string optimizer_help();
/// "default 0.01 for sgd and rmsprop, else 0.001".
[[nodiscard]] std::string learning_rate_help();
/// "of sgd, rmsprop; default 0".
[[nodiscard]] std::string momentum_help();
/// "of adam; default 1e-8, keras_adam 1e-7", for beta1, beta2 or epsilon.
[[nodiscard]] std::string usual_help(std::optional<double> nn::OptimizerInfo::*option);

/// Throws UsageError that begins with the command where a momentum, or Nesterov's, is given to an
/// optimizer without.
void check_momentum(const char* command, const std::string& optimizer, double momentum,
                    bool nesterov);

}  // namespace millrace::apps

#pragma once
// What options say about optimizers and losses, from nn's lists of them.

#include <millrace/nn/optimizer.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// "sgd, adam (default), ...".
[[nodiscard]] std::string optimizer_help();
/// "default 0.01 for sgd and rmsprop, else 0.001".
[[nodiscard]] std::string learning_rate_help();
/// "of sgd, rmsprop; default 0".
[[nodiscard]] std::string momentum_help();
/// "of adam; default 1e-8, keras_adam 1e-7", for what `usual` gives of the kinds that have one.
[[nodiscard]] std::string usual_help(
    const std::function<std::optional<double>(const nn::OptimizerInfo&)>& usual);
/// A kind's own option of that name; null without it.
[[nodiscard]] const nn::RuleOption* own_option(const nn::OptimizerInfo& info,
                                               std::string_view name);
/// Those that kinds have of their own, each name once, as its first kind has it.
[[nodiscard]] std::vector<nn::RuleOption> own_options();
/// "sgd or rmsprop": the kinds that have it.
[[nodiscard]] std::string optimizers_with(std::string_view own_option);
/// "sgd or rmsprop".
[[nodiscard]] std::string optimizers_with_momentum();
[[nodiscard]] std::string optimizers_with_nesterov();

/// "categorical_crossentropy, ...; default: that of the model's last layer".
[[nodiscard]] std::string loss_help();

}  // namespace millrace

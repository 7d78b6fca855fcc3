#pragma once
// Help texts about optimizers and losses, from nn's lists of them.

#include <millrace/nn/optimizer.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// "sgd, adam, ...".
[[nodiscard]] std::string optimizer_help();
/// "0.01 for sgd and rmsprop, else 0.001".
[[nodiscard]] std::string usual_learning_rates();
/// "of sgd, rmsprop".
[[nodiscard]] std::string momentum_help();
/// Of what `usual` gives of the kinds that have one: "of adam".
using UsualOf = std::function<std::optional<double>(const nn::OptimizerInfo&)>;
[[nodiscard]] std::string of_optimizers(const UsualOf& usual);
/// "1e-8, keras_adam 1e-7".
[[nodiscard]] std::string usual_values(const UsualOf& usual);
/// A kind's own option of that name; null without it.
[[nodiscard]] const nn::RuleOption* own_option(const nn::OptimizerInfo& info,
                                               std::string_view name);
/// The own options of all kinds, each name once, as its first kind has it.
[[nodiscard]] std::vector<nn::RuleOption> own_options();
/// "sgd or rmsprop": the kinds that have it.
[[nodiscard]] std::string optimizers_with(std::string_view own_option);
/// "sgd or rmsprop".
[[nodiscard]] std::string optimizers_with_momentum();
[[nodiscard]] std::string optimizers_with_nesterov();

/// "categorical_crossentropy, ...".
[[nodiscard]] std::string loss_help();

}  // namespace millrace

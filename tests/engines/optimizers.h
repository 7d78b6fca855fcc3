#pragma once
// Every optimizer of the library's, with the options that change its rule: what is added there is
// tested on every engine.

#include <millrace/nn/optimizer.h>

#include <algorithm>
#include <string>
#include <vector>

namespace millrace::test {

inline std::vector<nn::OptimizerOptions> optimizer_cases() {
  std::vector<nn::OptimizerOptions> cases;
  const auto add = [&](nn::OptimizerOptions options, auto... change) {
    (change(options), ...);
    cases.push_back(options);
  };
  for (const nn::OptimizerInfo& info : nn::optimizers()) {
    if (!nn::is_of_library(nn::optimizer_kind(info.name))) continue;
    // Steps of any gradient are about the rate.
    const bool is_scaled = info.epsilon.has_value() || info.beta1.has_value();
    const nn::OptimizerOptions usual{.kind = nn::optimizer_kind(info.name),
                                     .learning_rate = is_scaled ? 1e-3 : 0.1};
    const auto decay = [](nn::OptimizerOptions& o) { o.weight_decay = 0.02; };
    const auto momentum = [](nn::OptimizerOptions& o) { o.momentum = 0.9; };
    add(usual);
    add(usual, decay);
    if (info.has_momentum) add(usual, momentum, decay);
    if (info.has_nesterov) add(usual, momentum, [](auto& o) { o.nesterov = true; });
    if (info.epsilon) add(usual, [](auto& o) { o.epsilon = 1e-3; });
    if (info.beta1) {
      add(usual, [](auto& o) { o.beta1 = 0.8; });
      add(usual, [](auto& o) { o.beta1 = 0.8, o.weight_decay = 0.1; });
    }
    if (info.beta2) add(usual, [](auto& o) { o.beta2 = 0.9; });
    for (const nn::RuleOption& own : info.own) {
      add(usual, [&](auto& o) {
        o.momentum = info.has_momentum ? 0.9 : 0;
        o.own[own.name] = (own.range.least + std::min(own.range.most, own.usual + 1)) / 2;
      });
    }
  }
  return cases;
}

inline std::string name_of(const nn::OptimizerOptions& options) {
  const nn::UpdateOptions o = nn::update_options(options);
  std::string own;
  for (const auto& [name, value] : options.own) own += ", " + name + ' ' + std::to_string(value);
  return std::string(nn::to_string(options.kind)) + ", momentum " + std::to_string(o.momentum) +
         (o.nesterov ? ", nesterov" : "") + ", decay " + std::to_string(o.weight_decay) +
         ", betas " + std::to_string(o.beta1) + " " + std::to_string(o.beta2) + ", epsilon " +
         std::to_string(o.epsilon) + own;
}

}  // namespace millrace::test

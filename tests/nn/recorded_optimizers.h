#pragma once
// The recorded steps of tests/reference/record_optimizers.py, repeated by any loop of updates.

#include <millrace/nn/optimizer.h>

#include "catch.h"
#include "nn/recorded.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::test {

inline nn::OptimizerOptions optimizer_options(const nlohmann::json& record) {
  nn::OptimizerOptions options{.kind = nn::optimizer_kind(record["kind"].get<std::string>())};
  options.learning_rate = record["learning_rate"].get<double>();
  options.momentum = record.value("momentum", options.momentum);
  options.nesterov = record.value("nesterov", options.nesterov);
  if (record.contains("beta1")) options.beta1 = record["beta1"].get<double>();
  if (record.contains("beta2")) options.beta2 = record["beta2"].get<double>();
  options.epsilon = record.value("epsilon", options.epsilon);
  options.weight_decay = record.value("weight_decay", options.weight_decay);
  for (const nn::RuleOption& own : nn::optimizer_info(options.kind).own) {
    if (record.contains(own.name)) options.own[own.name] = record[own.name].get<double>();
  }
  return options;
}

/// `update` has the arguments of nn::update(), of Float.
template <class Float, class Update>
void check_recorded(const nlohmann::json& record, double relative, double absolute,
                    Update&& update) {
  const nn::OptimizerOptions options = optimizer_options(record["options"]);
  auto weights = list<Float>(record["start"]);
  std::vector<std::vector<Float>> arenas(static_cast<std::size_t>(nn::state_arenas(options)),
                                         std::vector<Float>(weights.size()));
  const std::vector<std::span<Float>> states(arenas.begin(), arenas.end());
  for (std::size_t step = 0; step < record["gradients"].size(); ++step) {
    const auto gradients = list<Float>(record["gradients"][step]);
    const double rate = record["rates"][step];
    update(options, rate, static_cast<std::int64_t>(step) + 1, weights, gradients, states);
    const auto expected = list<double>(record["weights"][step]);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      INFO("step " << step + 1 << ", weight " << i);
      CHECK(static_cast<double>(weights[i]) ==
            Approx(expected[i]).epsilon(relative).margin(absolute));
    }
  }
}

}  // namespace millrace::test

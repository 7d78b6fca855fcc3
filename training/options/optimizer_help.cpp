#include <millrace/training/options/optimizer_help.h>

#include <millrace/core/error.h>
#include <millrace/nn/loss.h>
#include <millrace/training/option_text.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace millrace {
namespace {

using nn::OptimizerInfo;

constexpr const char* kDefault = "adam";

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string shown(double value) {
  return OptionText<double>::write(value);
}

std::vector<std::string> names_with(bool OptimizerInfo::*what) {
  std::vector<std::string> names;
  for (const OptimizerInfo& info : nn::optimizers()) {
    if (info.*what) names.emplace_back(info.name);
  }
  return names;
}

}  // namespace

std::string optimizer_help() {
  std::vector<std::string> names;
  for (const OptimizerInfo& info : nn::optimizers()) {
    names.emplace_back(info.name);
  }
  return joined(names, ", ");
}

std::string usual_learning_rates() {
  const double most = nn::optimizer_info(nn::optimizer_kind(kDefault)).learning_rate;
  std::map<double, std::vector<std::string>> others;
  for (const OptimizerInfo& info : nn::optimizers()) {
    if (info.learning_rate != most) others[info.learning_rate].emplace_back(info.name);
  }
  std::string text;
  for (const auto& [rate, names] : others) {
    text += concat(shown(rate), " for ", joined(names, " and "), ", ");
  }
  return concat(text, "else ", shown(most));
}

std::string momentum_help() {
  return concat("of ", joined(names_with(&OptimizerInfo::has_momentum), ", "));
}

std::string of_optimizers(const UsualOf& usual) {
  std::vector<std::string> of;
  for (const OptimizerInfo& info : nn::optimizers()) {
    if (!usual(info)) continue;
    // Whoever knows adam knows keras_adam and adamw.
    const auto is_kind_of = [&](const std::string& name) {
      return std::string_view(info.name).find(name) != std::string_view::npos;
    };
    if (std::none_of(of.begin(), of.end(), is_kind_of)) of.emplace_back(info.name);
  }
  return concat("of ", joined(of, ", "));
}

std::string usual_values(const UsualOf& usual_of) {
  std::optional<double> usual;
  std::string others;
  for (const OptimizerInfo& info : nn::optimizers()) {
    const std::optional<double> value = usual_of(info);
    if (!value) continue;
    if (!usual) usual = value;
    if (*value != *usual) others += concat(", ", info.name, " ", shown(*value));
  }
  return shown(usual.value_or(0)) + others;
}

const nn::RuleOption* own_option(const OptimizerInfo& info, std::string_view name) {
  const auto* const found = std::find_if(info.own.begin(), info.own.end(),
                                         [&](const auto& option) { return option.name == name; });
  return found == info.own.end() ? nullptr : found;
}

std::vector<nn::RuleOption> own_options() {
  std::vector<nn::RuleOption> all;
  for (const OptimizerInfo& info : nn::optimizers()) {
    for (const nn::RuleOption& option : info.own) {
      const auto is_same = [&](const nn::RuleOption& other) {
        return std::string_view(other.name) == option.name;
      };
      if (std::none_of(all.begin(), all.end(), is_same)) all.push_back(option);
    }
  }
  return all;
}

std::string optimizers_with(std::string_view option) {
  std::vector<std::string> names;
  for (const OptimizerInfo& info : nn::optimizers()) {
    if (own_option(info, option) != nullptr) names.emplace_back(info.name);
  }
  return listed(names);
}

std::string optimizers_with_momentum() {
  return listed(names_with(&OptimizerInfo::has_momentum));
}

std::string optimizers_with_nesterov() {
  return listed(names_with(&OptimizerInfo::has_nesterov));
}

std::string loss_help() {
  std::string names;
  for (std::size_t i = 0; i < nn::Losses::size; ++i) {
    names += concat(i == 0 ? "" : ", ", nn::loss_info(static_cast<nn::Loss>(i)).option);
  }
  return names;
}

}  // namespace millrace

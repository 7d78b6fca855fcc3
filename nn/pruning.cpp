#include <millrace/nn/pruning.h>

#include <millrace/core/error.h>

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::array<std::pair<PruneKind, const char*>, 2> kNames{{
    {PruneKind::constant, "constant"},
    {PruneKind::polynomial, "polynomial"},
}};

constexpr float kNotANumber = -1;  // as a magnitude: below all numbers, and ordered

float magnitude(float weight) noexcept {
  return std::isnan(weight) ? kNotANumber : std::abs(weight);
}

/// The place of the n-th NaN, counted from 1.
std::size_t nth_nan(std::span<const float> weights, std::size_t n) {
  std::size_t i = 0;
  for (; i < weights.size(); ++i) {
    if (std::isnan(weights[i]) && --n == 0) break;
  }
  return i;
}

bool matches(const std::string& pattern, const Parameter& parameter, const Model& model) {
  const std::string& layer = model.layers[static_cast<std::size_t>(parameter.layer)].name;
  return fnmatch(pattern.c_str(), parameter.name.c_str(), 0) == 0 ||
         fnmatch(pattern.c_str(), layer.c_str(), 0) == 0;
}

std::string names_of(const std::vector<Parameter>& parameters) {
  std::string text;
  for (const Parameter& parameter : parameters) {
    text += (text.empty() ? "" : ", ") + parameter.name;
  }
  return text;
}

}  // namespace

PruneKind prune_kind(std::string_view name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  throw UsageError(concat("unknown pruning schedule '", name, "'; known: constant, polynomial"));
}

const char* to_string(PruneKind kind) noexcept {
  for (const auto& [known, name] : kNames) {
    if (kind == known) return name;
  }
  return "?";
}

void validate(const PruneSchedule& schedule) {
  const auto require_sparsity = [](const char* what, double value) {
    if (value >= 0 && value < 1) return;
    throw UsageError(concat("pruning: the ", what, " sparsity must be in [0, 1), not ", value));
  };
  require_sparsity("initial", schedule.initial_sparsity);
  require_sparsity("final", schedule.final_sparsity);
  if (schedule.kind == PruneKind::polynomial && !schedule.end_step) {
    throw UsageError("pruning: a polynomial schedule needs an end");
  }
  if (schedule.end_step && *schedule.end_step < schedule.begin_step) {
    throw UsageError(concat("pruning: the schedule ends at step ", *schedule.end_step,
                            ", before it begins at step ", schedule.begin_step));
  }
  if (schedule.frequency == 0) throw UsageError("pruning: the frequency must be 1 or more");
  if (!(schedule.power > 0 && std::isfinite(schedule.power))) {
    throw UsageError(concat("pruning: the power must be above 0, not ", schedule.power));
  }
}

bool makes_mask(const PruneSchedule& schedule, std::uint64_t step) noexcept {
  if (step < schedule.begin_step) return false;
  if (schedule.end_step && step > *schedule.end_step) return false;
  if (!schedule.keras_compat && schedule.end_step == step) return true;
  return (step - schedule.begin_step) % schedule.frequency == 0;
}

std::optional<std::uint64_t> last_mask(const PruneSchedule& schedule,
                                       std::uint64_t updates) noexcept {
  const std::uint64_t begin = schedule.begin_step;
  const std::uint64_t limit = std::min(updates, schedule.end_step.value_or(updates));
  if (limit < begin) return std::nullopt;
  if (!schedule.keras_compat && schedule.end_step == limit) return limit;
  const std::uint64_t last = begin + (limit - begin) / schedule.frequency * schedule.frequency;
  const bool comes = last > 0 || !schedule.keras_compat;  // tfmot's clock begins with 1
  return comes ? std::optional(last) : std::nullopt;
}

float sparsity_at(const PruneSchedule& schedule, std::uint64_t step) noexcept {
  const auto last = static_cast<float>(schedule.final_sparsity);
  if (schedule.kind == PruneKind::constant || !schedule.end_step || step >= *schedule.end_step) {
    return last;
  }
  const std::uint64_t done = step < schedule.begin_step ? 0 : step - schedule.begin_step;
  const float p =
      static_cast<float>(done) / static_cast<float>(*schedule.end_step - schedule.begin_step);
  const auto difference = static_cast<float>(schedule.initial_sparsity - schedule.final_sparsity);
  return difference * std::pow(1 - p, static_cast<float>(schedule.power)) + last;
}

std::size_t pruned_weights(std::size_t n, double share) noexcept {
  const double pruned = std::nearbyint(static_cast<double>(n) * share);
  return std::min(static_cast<std::size_t>(std::max(pruned, 0.0)), n);
}

std::size_t pruned_at(const PruneSchedule& schedule, std::uint64_t step, std::size_t n) noexcept {
  const bool is_last =
      schedule.kind == PruneKind::constant || !schedule.end_step || step >= *schedule.end_step;
  if (is_last) return pruned_weights(n, schedule.final_sparsity);
  if (step <= schedule.begin_step) return pruned_weights(n, schedule.initial_sparsity);
  return n - kept_weights(n, sparsity_at(schedule, step));
}

float prune_smallest(std::span<const float> weights, std::size_t count, std::span<float> mask) {
  MILLRACE_CHECK(!weights.empty() && mask.size() == weights.size() && count <= weights.size(),
                 "a mask as long as the weights: ", mask.size(), " for ", weights.size(), ", ",
                 count, " of them pruned");
  float largest = -1;     // that is pruned; below all magnitudes where none is
  std::size_t equal = 0;  // how many of that size are pruned
  if (count > 0) {
    const std::span<float> magnitudes = mask;  // no memory is taken: the mask is scratch at first
    std::transform(weights.begin(), weights.end(), magnitudes.begin(), magnitude);
    const auto nth = magnitudes.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::nth_element(magnitudes.begin(), nth, magnitudes.end());
    largest = *nth;
    equal = static_cast<std::size_t>(std::count(magnitudes.begin(), nth + 1, largest));
  }
  float smallest_kept = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const float size = magnitude(weights[i]);
    const bool is_pruned = size < largest || (size == largest && equal > 0);
    if (is_pruned && size == largest) --equal;
    if (!is_pruned) smallest_kept = std::min(smallest_kept, size);
    mask[i] = is_pruned ? 0.0F : 1.0F;
  }
  return count == weights.size() ? largest : smallest_kept;
}

std::size_t kept_weights(std::size_t n, float sparsity) noexcept {
  const float kept = std::nearbyint(static_cast<float>(n) * (1 - sparsity));
  return std::clamp<std::size_t>(static_cast<std::size_t>(kept), 1, n);
}

float keep_above_threshold(std::span<const float> weights, float sparsity, std::span<float> mask) {
  MILLRACE_CHECK(!weights.empty() && mask.size() == weights.size(),
                 "a mask as long as the weights: ", mask.size(), " for ", weights.size());
  const std::size_t kept = kept_weights(weights.size(), sparsity);
  const std::span<float> magnitudes = mask;  // no memory is taken: the mask is scratch at first
  std::transform(weights.begin(), weights.end(), magnitudes.begin(), magnitude);
  const auto nth = magnitudes.begin() + static_cast<std::ptrdiff_t>(kept - 1);
  std::nth_element(magnitudes.begin(), nth, magnitudes.end(), std::greater<>());
  const float threshold = *nth;
  if (threshold == kNotANumber) {
    const auto numbers = std::count_if(weights.begin(), weights.end(),
                                       [](float weight) { return !std::isnan(weight); });
    std::fill(mask.begin(), mask.end(), 0.0F);
    mask[nth_nan(weights, kept - static_cast<std::size_t>(numbers))] = 1;
    return std::numeric_limits<float>::quiet_NaN();
  }
  std::transform(weights.begin(), weights.end(), mask.begin(),
                 [=](float weight) { return magnitude(weight) >= threshold ? 1.0F : 0.0F; });
  return threshold;
}

void check_prunable(const std::string& parameter, std::span<const float> weights) {
  const auto nan =
      std::count_if(weights.begin(), weights.end(), [](float w) { return std::isnan(w); });
  if (nan == 0) return;
  throw Error(concat(parameter, " cannot be pruned: ", nan, " of its ", weights.size(),
                     " weights are not numbers; its training went wrong, for example by too high a "
                     "learning rate"));
}

std::vector<Parameter> pruned_parameters(const Model& model,
                                         const std::vector<std::string>& include,
                                         const std::vector<std::string>& exclude) {
  std::vector<Parameter> kernels;
  for (const Parameter& parameter : parameters(model)) {
    if (parameter.role == Role::kernel && parameter.trainable) kernels.push_back(parameter);
  }
  const auto is_match = [&](const std::vector<std::string>& patterns, const Parameter& kernel) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches(pattern, kernel, model); });
  };
  for (const std::vector<std::string>* patterns : {&include, &exclude}) {
    for (const std::string& pattern : *patterns) {
      const bool is_used = std::any_of(kernels.begin(), kernels.end(), [&](const Parameter& k) {
        return matches(pattern, k, model);
      });
      if (is_used) continue;
      throw UsageError(concat("pruning: the pattern '", pattern,
                              "' matches no kernel that is trained; there are ",
                              kernels.empty() ? "none" : names_of(kernels)));
    }
  }
  std::vector<Parameter> chosen;
  for (const Parameter& kernel : kernels) {
    const bool is_meant = include.empty() || is_match(include, kernel);
    if (is_meant && !is_match(exclude, kernel)) chosen.push_back(kernel);
  }
  if (chosen.empty()) {
    throw UsageError(concat("pruning: no kernel is left to prune of ",
                            kernels.empty() ? "none that is trained" : names_of(kernels)));
  }
  return chosen;
}

}  // namespace millrace::nn

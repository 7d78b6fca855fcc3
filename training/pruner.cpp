#include <millrace/training/pruner.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

constexpr const char* kMadeAt = "pruning.made_at";
constexpr const char* kThresholds = "pruning.thresholds";
constexpr const char* kRule = "pruning.rule";

/// What checkpoints call the rules.
constexpr const char* kSmallest = "smallest";
constexpr const char* kThreshold = "threshold";

std::span<float> part(std::vector<float>& arena, const nn::Parameter& parameter) {
  return std::span(arena).subspan(static_cast<std::size_t>(parameter.offset),
                                  static_cast<std::size_t>(parameter.shape.elements()));
}

std::int64_t zeros(std::span<const float> mask) {
  return std::count(mask.begin(), mask.end(), 0.0F);
}

/// As the engines do: a pruned weight is +0, never -0. Without weights there is nothing to do.
void multiply(std::span<float> weights, std::span<const float> mask) {
  std::transform(weights.begin(), weights.end(), mask.begin(), weights.begin(),
                 [](float weight, float keeps) { return weight * keeps + 0.0F; });
}

/// An executor that is told something first waits for the steps under way, so only what is new.
void update_masks(nn::Executor& executor, bool enabled) {
  if (executor.masks_updates() != enabled) executor.mask_updates(enabled);
}

}  // namespace

Pruner::Pruner(const nn::Model& model, PruneOptions options)
    : options_(std::move(options)),
      rule_(options_.schedule.keras_compat ? PruneRule::threshold : PruneRule::smallest) {
  nn::validate(options_.schedule);
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  arena_elements_ = static_cast<std::size_t>(nn::arena_elements(parameters));
  trainable_elements_ = static_cast<std::size_t>(nn::trainable_elements(parameters));
  for (const nn::Parameter& p : nn::pruned_parameters(model, options_.include, options_.exclude)) {
    summary_.tensors.push_back({.name = p.name, .elements = p.shape.elements()});
  }
}

Bytes Pruner::scratch(bool has_average) const noexcept {
  return {(has_average ? 3 : 2) * arena_elements_ *
          sizeof(float)};  // masks of all, once nothing is frozen
}

bool Pruner::is_due(std::uint64_t updates) const noexcept {
  return nn::makes_mask(options_.schedule, updates + (options_.schedule.keras_compat ? 1 : 0));
}

std::vector<Pruner::Kernel> Pruner::read(nn::Executor& executor) {
  const std::vector<nn::Parameter> parameters = nn::parameters(executor.model());
  weights_.resize(static_cast<std::size_t>(nn::arena_elements(parameters)));
  masks_.resize(static_cast<std::size_t>(nn::trainable_elements(parameters)));
  executor.read(nn::Arena::parameters, weights_);
  executor.read(nn::Arena::masks, masks_);
  averages_.resize(executor.keeps_average() ? masks_.size() : 0);
  if (!averages_.empty()) executor.read(nn::Arena::average, averages_);
  std::vector<Kernel> kernels;
  for (const PrunedTensor& tensor : summary_.tensors) {
    const auto found =
        std::find_if(parameters.begin(), parameters.end(), [&](const nn::Parameter& parameter) {
          return parameter.name == tensor.name && parameter.trainable;
        });
    MILLRACE_CHECK(found != parameters.end(), "the executor trains ", tensor.name);
    kernels.push_back({part(weights_, *found), part(masks_, *found),
                       averages_.empty() ? std::span<float>() : part(averages_, *found)});
  }
  return kernels;
}

void Pruner::write(nn::Executor& executor) {
  executor.write(nn::Arena::masks, masks_);
  executor.write(nn::Arena::parameters, weights_);
  if (!averages_.empty()) executor.write(nn::Arena::average, averages_);
}

void Pruner::begin(nn::Executor& executor, std::uint64_t updates, bool validates_first) {
  summary_.step = updates;
  const std::vector<Kernel> kernels = read(executor);
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    summary_.tensors[i].pruned = zeros(kernels[i].mask);
  }
  if (is_due(updates) && made_at_ != updates && !validates_first) make_masks(executor, updates);
  update_masks(executor, !is_due(updates + 1));
}

bool Pruner::after_update(nn::Executor& executor, std::uint64_t updates, bool ends_epoch) {
  summary_.step = updates;
  const bool waits = options_.schedule.keras_compat && ends_epoch;
  const bool is_now = is_due(updates);
  if (is_now && waits) apply_masks(executor);
  if (is_now && !waits) make_masks(executor, updates);
  update_masks(executor, !is_due(updates + 1));
  return is_now && !waits;
}

bool Pruner::before_epoch(nn::Executor& executor, std::uint64_t updates) {
  if (!is_due(updates) || made_at_ == updates) return false;
  make_masks(executor, updates);
  return true;
}

void Pruner::make_masks(nn::Executor& executor, std::uint64_t updates) {
  const std::uint64_t step = updates + (options_.schedule.keras_compat ? 1 : 0);
  const nn::PruneSchedule& schedule = options_.schedule;
  const std::vector<Kernel> kernels = read(executor);
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const auto [weights, mask, average] = kernels[i];
    PrunedTensor& tensor = summary_.tensors[i];
    nn::check_prunable(tensor.name, weights);
    tensor.threshold =
        rule_ == PruneRule::threshold
            ? nn::keep_above_threshold(weights, nn::sparsity_at(schedule, step), mask)
            : nn::prune_smallest(weights, nn::pruned_at(schedule, step, weights.size()), mask);
    tensor.pruned = zeros(mask);
    multiply(weights, mask);
    multiply(average, mask);
  }
  write(executor);
  made_at_ = updates;
}

void Pruner::apply_masks(nn::Executor& executor) {
  for (const Kernel& kernel : read(executor)) {
    multiply(kernel.weights, kernel.mask);
    multiply(kernel.average, kernel.mask);
  }
  write(executor);
}

void Pruner::save(Checkpoint& checkpoint) const {
  checkpoint.set(kMadeAt, made_at_ ? static_cast<std::int64_t>(*made_at_) : std::int64_t{-1});
  checkpoint.set(kRule, rule_ == PruneRule::threshold ? kThreshold : kSmallest);
  std::vector<float>& thresholds = checkpoint.arrays[kThresholds];
  thresholds.clear();
  for (const PrunedTensor& tensor : summary_.tensors) thresholds.push_back(tensor.threshold);
}

void Pruner::restore(const Checkpoint& checkpoint) {
  if (!is_pruned(checkpoint)) return;
  const auto made_at = checkpoint.get<std::int64_t>(kMadeAt);
  const std::vector<float>& thresholds = checkpoint.array(kThresholds, summary_.tensors.size());
  const auto rule = checkpoint.has(kRule) ? checkpoint.get<std::string>(kRule) : kThreshold;
  if (rule != kThreshold && rule != kSmallest) {
    throw Error(
        concat("the run prunes by the rule '", rule,
               "', which this program does not know; resume it with the program that started it"));
  }
  rule_ = rule == kThreshold ? PruneRule::threshold : PruneRule::smallest;
  made_at_.reset();
  if (made_at >= 0) made_at_ = static_cast<std::uint64_t>(made_at);
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    summary_.tensors[i].threshold = thresholds[i];
  }
}

Bytes Pruner::array_bytes() const {
  return {summary_.tensors.size() * sizeof(float)};
}

bool is_pruned(const Checkpoint& checkpoint) {
  return checkpoint.has(kMadeAt);
}

}  // namespace millrace

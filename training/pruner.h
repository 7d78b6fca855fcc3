#pragma once
// Magnitude pruning of a model in training: at the steps of a schedule new masks are made
// from the weights, and between them the engine's update keeps pruned weights at zero. PruneStep
// (prune_step.h) calls this after the training step; your own training loop may call it too.

#include <millrace/nn/engine.h>
#include <millrace/nn/pruning.h>
#include <millrace/training/prune_summary.h>
#include <millrace/training/snapshot.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// Which weights a mask prunes.
enum class PruneRule {
  smallest,   ///< exactly as many as asked for: nn::pruned_at, nn::prune_smallest
  threshold,  ///< tfmot's, of PruneSchedule::keras_compat: nn::keep_above_threshold
};

struct PruneOptions {
  nn::PruneSchedule schedule{};
  /// Patterns of parameters or layers, as nn::pruned_parameters takes them.
  std::vector<std::string> include{}, exclude{};
};

/// Makes the masks of a training run.
///
/// A pruned weight can grow back, as in tfmot: the update right before a mask is made is not
/// masked, so every weight takes part in the choice with what its gradient made of it; all other
/// updates are. With PruneSchedule::keras_compat also the clock is tfmot's: the mask of its step s
/// is made after s - 1 updates, and existing masks are applied again at the end of an
/// epoch, so that a weight cannot grow back across it.
///
/// The rule is part of a checkpoint: a run resumes with the one that it started with. Checkpoints
/// that name none are of programs that had only tfmot's. A run that was not pruned (is_pruned) can
/// be pruned from where it resumes: restore() leaves such a pruner as it was made.
///
/// Requires: the executor was compiled with CompileOptions::masks for a model whose kernels have
/// the names of the model that this was made for; layers may be frozen or not. Thread safety: none.
class Pruner final : public Saved {
 public:
  /// Throws UsageError: the schedule or the patterns make no sense.
  Pruner(const nn::Model& model, PruneOptions options);

  /// Before the first update, or the first after restore(), once weights and masks are written;
  /// `updates` is how many there were. Takes scratch() and makes the mask of this step if due,
  /// unless the validation of an epoch comes first: then before_epoch() makes it. Throws Error,
  /// here and below, that names the tensor where weights are not numbers.
  void begin(nn::Executor& executor, std::uint64_t updates, bool validates_first = false);
  /// After update number `updates`, counted from 1; `ends_epoch`: it was the last of its epoch.
  /// True where masks were made.
  bool after_update(nn::Executor& executor, std::uint64_t updates, bool ends_epoch);
  /// After the validation of an epoch that another one follows. True where masks were made.
  bool before_epoch(nn::Executor& executor, std::uint64_t updates);

  /// As the last masks left it. Requires: begin().
  [[nodiscard]] const PruneSummary& summary() const noexcept { return summary_; }
  [[nodiscard]] const PruneOptions& options() const noexcept { return options_; }
  [[nodiscard]] PruneRule rule() const noexcept { return rule_; }
  /// `has_average`: the executor keeps averages of its weights, which are pruned with them.
  [[nodiscard]] Bytes scratch(bool has_average = false) const noexcept;

  /// All but the masks themselves, which are an arena of the executor.
  void save(Checkpoint& checkpoint) const override;
  void restore(const Checkpoint& checkpoint) override;
  [[nodiscard]] Bytes array_bytes() const override;

 private:
  struct Kernel {
    std::span<float> weights, mask, average;  ///< the last may be empty
  };
  [[nodiscard]] bool is_due(std::uint64_t updates) const noexcept;
  /// Reads weights, masks and averages of the executor.
  std::vector<Kernel> read(nn::Executor& executor);
  void write(nn::Executor& executor);
  void make_masks(nn::Executor& executor, std::uint64_t updates);
  void apply_masks(nn::Executor& executor);

  PruneOptions options_;
  PruneRule rule_;
  std::size_t arena_elements_, trainable_elements_;
  PruneSummary summary_;
  std::optional<std::uint64_t> made_at_;  // updates before the last masks
  std::vector<float> weights_, masks_, averages_;
};

/// Whether a run was pruned when the checkpoint was saved.
[[nodiscard]] bool is_pruned(const Checkpoint& checkpoint);

}  // namespace millrace

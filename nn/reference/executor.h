#pragma once
// A model compiled by the reference engine: executor.cpp runs steps, executor_arenas.cpp
// reads and writes weights and other arenas.

#include <millrace/nn/reference/graph.h>
#include <millrace/nn/reference/reference_executor.h>
#include <millrace/nn/reference/update.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace millrace::nn::reference {

/// See Executor. Thread safety: none.
class Executor64 final : public ReferenceExecutor {
 public:
  Executor64(const Model& model, CompileOptions options, const ReferenceOptions& numbers);

  [[nodiscard]] const Model& model() const override { return evaluation_.graph().model; }
  [[nodiscard]] std::vector<MemoryLine> memory() const override;
  void allocate() override;
  void release() override;

  [[nodiscard]] double learning_rate() const override {
    return nn::learning_rate(options_.optimizer);
  }
  StepResult train(const Batch& batch, std::int64_t t, double learning_rate) override;
  void start_accumulate(const Batch& batch, bool begins_group) override;
  void start_update(std::int64_t t, double learning_rate) override;
  void drop_group() override;
  StepResult finish() override;
  [[nodiscard]] std::int64_t accumulates() const override { return options_.accumulate; }
  StepResult gradients(const Batch& batch) override;
  StepResult evaluate(const Batch& batch, std::span<float> outputs) override;
  void predict(const Batch& batch, std::span<float> outputs) override;

  void mask_updates(bool enabled) override { masks_updates_ = enabled; }
  [[nodiscard]] bool masks_updates() const override { return masks_updates_; }
  [[nodiscard]] bool keeps_average() const override {
    return options_.training && options_.average.has_value();
  }
  void swap_average() override;
  [[nodiscard]] bool is_swapped() const override { return is_swapped_; }
  void read(Arena arena, std::span<float> values) const override;
  void write(Arena arena, std::span<const float> values) override;

  [[nodiscard]] std::optional<LossScaleState> loss_scale() const override;
  void set_loss_scale(const LossScaleState& state) override;

  [[nodiscard]] std::vector<OpTiming> timings() const override;
  void reset_timings(bool enabled) override;

  [[nodiscard]] std::span<double> parameters() override {
    is_initialised_ = true;
    return arenas_.parameters;
  }
  [[nodiscard]] std::span<const double> gradient() const override { return arenas_.gradients; }
  [[nodiscard]] std::span<const double> outputs() const override { return evaluation_.output(); }

 private:
  [[nodiscard]] std::size_t trainable() const {
    return static_cast<std::size_t>(trainable_elements(parameters_));
  }
  [[nodiscard]] int states() const {
    return options_.training ? state_arenas(options_.optimizer) : 0;
  }
  [[nodiscard]] bool has_masks() const { return options_.training && options_.masks; }
  [[nodiscard]] bool sums() const { return options_.training && options_.accumulate > 1; }
  [[nodiscard]] std::size_t changed_by_batches() const {
    const bool changes = sums() && has_batch_statistics(model());
    return changes ? static_cast<std::size_t>(arena_elements(parameters_)) - trainable() : 0;
  }
  [[nodiscard]] std::vector<double>::iterator untrained() {
    return arenas_.parameters.begin() + trainable_elements(parameters_);
  }
  [[nodiscard]] bool has_working_copies() const {
    return storage_of(numbers_.precision) != DType::f32;
  }
  [[nodiscard]] bool scales_loss() const {
    return options_.training && numbers_.precision == Precision::fp16;
  }
  [[nodiscard]] Graph graph_of(const Model& model, Mode mode) const;
  /// The part of L2 in the loss of a step, times its samples: results are sums.
  [[nodiscard]] double penalty(std::int64_t samples) const {
    return reference::penalty(arenas_, parameters_, options_.gradient) *
           static_cast<double>(samples);
  }
  void check(const Batch& batch, bool needs_labels) const;
  /// Forward and backward; gradients are those of the scaled loss, without the part of L2.
  StepResult differentiate(const Batch& batch);
  /// From the gradients of a step to new weights.
  void update(std::int64_t t, double learning_rate);
  /// Makes them those of the loss.
  void unscale_and_penalise();
  void copy_outputs(std::int64_t samples, std::span<float> outputs) const;
  /// Throws unless the arena exists and is that large.
  void require(Arena arena, std::size_t elements) const;
  GraphRunner& training();

  CompileOptions options_;
  ReferenceOptions numbers_;
  Loss loss_;
  std::vector<Parameter> parameters_;
  Arenas arenas_;
  GraphRunner evaluation_;
  std::optional<GraphRunner> training_;
  LossScaleState loss_scale_;
  StepResult group_, updated_;  ///< of the group under way, and of groups since finish()
  /// Parameters that no update changes, as they were before the group, where batches change some.
  std::vector<double> before_group_;
  bool is_initialised_ = false;  ///< the parameters were written
  bool masks_updates_ = true;
  bool is_swapped_ = false;
};

}  // namespace millrace::nn::reference

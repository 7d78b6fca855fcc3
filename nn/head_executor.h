#pragma once
// The executor of a whole model whose frozen front has been computed already (frozen_front.h).

#include <millrace/nn/engine.h>

#include <memory>
#include <span>
#include <vector>

namespace millrace::nn {

/// To whoever saves, restores, prunes or averages, it is the whole model's: model() and the arenas
/// are those of the whole, so what is written of it is what an executor of the whole model would
/// have written. Its batches hold the features that the front gives, and steps are those of the
/// head.
///
/// Thread safety: as Executor.
class HeadExecutor final : public Executor {
 public:
  /// `head`: of FrozenFront::head of this model.
  HeadExecutor(Model whole, std::shared_ptr<Executor> head);

  /// As Arena::parameters of FrozenFront::front has them. Requires: allocate().
  [[nodiscard]] std::span<const float> front_weights() const noexcept { return front_; }
  /// What they take of host memory.
  [[nodiscard]] Bytes front_bytes() const noexcept;

  [[nodiscard]] const Model& model() const override { return whole_; }
  /// Of the head: the front has no part in a step.
  [[nodiscard]] std::vector<MemoryLine> memory() const override { return head_->memory(); }
  void allocate() override;
  void release() override;
  [[nodiscard]] double learning_rate() const override { return head_->learning_rate(); }
  StepResult train(const Batch& batch, std::int64_t t, double learning_rate) override {
    return head_->train(batch, t, learning_rate);
  }
  void start_train(const Batch& batch, std::int64_t t, double learning_rate) override {
    head_->start_train(batch, t, learning_rate);
  }
  void start_evaluate(const Batch& batch) override { head_->start_evaluate(batch); }
  void start_steps(const Batch& batch, std::int64_t rows, std::int64_t t,
                   std::span<const double> learning_rates) override {
    head_->start_steps(batch, rows, t, learning_rates);
  }
  StepResult finish() override { return head_->finish(); }
  void start_accumulate(const Batch& batch, bool begins_group) override {
    head_->start_accumulate(batch, begins_group);
  }
  void start_update(std::int64_t t, double learning_rate) override {
    head_->start_update(t, learning_rate);
  }
  void drop_group() override { head_->drop_group(); }
  [[nodiscard]] std::int64_t accumulates() const override { return head_->accumulates(); }
  StepResult gradients(const Batch& batch) override { return head_->gradients(batch); }
  using Executor::evaluate;
  StepResult evaluate(const Batch& batch, std::span<float> outputs) override {
    return head_->evaluate(batch, outputs);
  }
  void predict(const Batch& batch, std::span<float> outputs) override {
    head_->predict(batch, outputs);
  }
  void mask_updates(bool enabled) override { head_->mask_updates(enabled); }
  [[nodiscard]] bool masks_updates() const override { return head_->masks_updates(); }
  [[nodiscard]] bool keeps_average() const override { return head_->keeps_average(); }
  void swap_average() override { head_->swap_average(); }
  [[nodiscard]] bool is_swapped() const override { return head_->is_swapped(); }
  using Executor::read;
  void read(Arena arena, std::span<float> values) const override;
  void write(Arena arena, std::span<const float> values) override;
  [[nodiscard]] std::optional<LossScaleState> loss_scale() const override {
    return head_->loss_scale();
  }
  void set_loss_scale(const LossScaleState& state) override { head_->set_loss_scale(state); }
  [[nodiscard]] std::vector<OpTiming> timings() const override { return head_->timings(); }
  void reset_timings(bool enabled) override { head_->reset_timings(enabled); }

 private:
  Model whole_;
  std::shared_ptr<Executor> head_;
  // Parameters of the whole: those that train, then the front's, then the head's other ones.
  std::size_t trained_ = 0, front_size_ = 0, all_ = 0;
  std::vector<float> front_;
};

}  // namespace millrace::nn

#pragma once
// An executor that counts what costs a device time beside its steps.

#include <millrace/nn/engine.h>

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace millrace::test {

/// Does what another one does.
class WatchedExecutor final : public nn::Executor {
 public:
  explicit WatchedExecutor(std::shared_ptr<nn::Executor> inner) : inner_(std::move(inner)) {}

  mutable int reads = 0;  ///< of arenas
  int swaps = 0;          ///< of weights and averages

  [[nodiscard]] const nn::Model& model() const override { return inner_->model(); }
  [[nodiscard]] std::vector<nn::MemoryLine> memory() const override { return inner_->memory(); }
  void allocate() override { inner_->allocate(); }
  void release() override { inner_->release(); }
  [[nodiscard]] double learning_rate() const override { return inner_->learning_rate(); }
  nn::StepResult train(const nn::Batch& batch, std::int64_t t, double learning_rate) override {
    return inner_->train(batch, t, learning_rate);
  }
  void start_accumulate(const nn::Batch& batch, bool begins_group) override {
    inner_->start_accumulate(batch, begins_group);
  }
  void start_update(std::int64_t t, double learning_rate) override {
    inner_->start_update(t, learning_rate);
  }
  void drop_group() override { inner_->drop_group(); }
  nn::StepResult finish() override {
    nn::StepResult result = nn::Executor::finish();
    result += inner_->finish();
    return result;
  }
  [[nodiscard]] std::int64_t accumulates() const override { return inner_->accumulates(); }
  nn::StepResult gradients(const nn::Batch& batch) override { return inner_->gradients(batch); }
  nn::StepResult evaluate(const nn::Batch& batch, std::span<float> outputs) override {
    return inner_->evaluate(batch, outputs);
  }
  void predict(const nn::Batch& batch, std::span<float> outputs) override {
    inner_->predict(batch, outputs);
  }
  void mask_updates(bool enabled) override { inner_->mask_updates(enabled); }
  [[nodiscard]] bool masks_updates() const override { return inner_->masks_updates(); }
  [[nodiscard]] bool keeps_average() const override { return inner_->keeps_average(); }
  void swap_average() override {
    ++swaps;
    inner_->swap_average();
  }
  [[nodiscard]] bool is_swapped() const override { return inner_->is_swapped(); }
  void read(nn::Arena arena, std::span<float> values) const override {
    ++reads;
    inner_->read(arena, values);
  }
  void write(nn::Arena arena, std::span<const float> values) override {
    inner_->write(arena, values);
  }
  [[nodiscard]] std::optional<nn::LossScaleState> loss_scale() const override {
    return inner_->loss_scale();
  }
  void set_loss_scale(const nn::LossScaleState& state) override { inner_->set_loss_scale(state); }
  [[nodiscard]] std::vector<nn::OpTiming> timings() const override { return inner_->timings(); }
  void reset_timings(bool enabled) override { inner_->reset_timings(enabled); }

 private:
  std::shared_ptr<nn::Executor> inner_;
};

}  // namespace millrace::test

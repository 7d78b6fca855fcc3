#pragma once
// The class of an executor on a device: executor.cpp runs steps, executor_groups.cpp several of
// them, executor_input.cpp brings a batch to where a step can read it,
// executor_arenas.cpp reads and writes weights and other arenas.

#include <millrace/gpu/arena_transfer.h>
#include <millrace/gpu/context.h>
#include <millrace/gpu/executor_memory.h>
#include <millrace/gpu/input_slot.h>
#include <millrace/gpu/programs.h>
#include <millrace/gpu/step_group.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace millrace::gpu::detail {

/// See nn::Executor. Thread safety: none. The constructor throws Error where the device cannot do
/// an operation, and UsageError for options out of range.
class GpuExecutor : public nn::Executor {
 public:
  GpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
              std::shared_ptr<Context> context);
  ~GpuExecutor() override;

  [[nodiscard]] const nn::Model& model() const override { return model_; }
  [[nodiscard]] std::vector<nn::MemoryLine> memory() const override { return needs_.lines(); }
  void allocate() override;
  void release() override;
  [[nodiscard]] double learning_rate() const override {
    return nn::learning_rate(options_.optimizer);
  }
  nn::StepResult train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  void start_train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  void start_evaluate(const nn::Batch& batch) override;
  void start_steps(const nn::Batch& batch, std::int64_t rows, std::int64_t t,
                   std::span<const double> learning_rates) override;
  nn::StepResult finish() override;
  void start_accumulate(const nn::Batch& batch, bool begins_group) override;
  void start_update(std::int64_t t, double learning_rate) override;
  void drop_group() override;
  [[nodiscard]] std::int64_t accumulates() const override { return options_.accumulate; }
  nn::StepResult gradients(const nn::Batch& batch) override;
  nn::StepResult evaluate(const nn::Batch& batch, std::span<float> outputs) override;
  void predict(const nn::Batch& batch, std::span<float> outputs) override;
  void mask_updates(bool enabled) override { masks_updates_ = enabled; }
  [[nodiscard]] bool masks_updates() const override { return masks_updates_; }
  [[nodiscard]] bool keeps_average() const override { return needs_.average > 0; }
  void swap_average() override;
  [[nodiscard]] bool is_swapped() const override { return is_swapped_; }
  void read(nn::Arena arena, std::span<float> values) const override;
  void write(nn::Arena arena, std::span<const float> values) override;
  [[nodiscard]] std::optional<nn::LossScaleState> loss_scale() const override;
  void set_loss_scale(const nn::LossScaleState& state) override;
  [[nodiscard]] std::vector<nn::OpTiming> timings() const override { return programs_.timings(); }
  void reset_timings(bool enabled) override;

 private:
  /// Rows of a slot, and what the step there is about.
  struct StepInput {
    InputSlot& slot;
    std::int64_t first, samples;
    std::uint32_t pass;
  };

  [[nodiscard]] Device& device() const { return *context_->device; }
  /// Until all that was queued has ended.
  void wait_for_steps() const {
    device().record(*done_, *stream_);
    context_->waiter.wait(*done_, "the last steps");
  }
  [[nodiscard]] const Arenas& arenas() const { return memory_.arenas(); }
  void check_allocated() const;
  void check_trains() const {
    check_allocated();
    nn::check_initialised(*this, is_initialised_);
  }
  void check_slot(const InputSlot& slot, const nn::Batch& batch, bool needs_labels) const;
  void check_labels(InputSlot::LabelRange labels) const;
  /// Where the batch lies on the device; a batch in host memory is brought there first.
  [[nodiscard]] StepInput on_device(const nn::Batch& batch, bool needs_labels);
  InputSlot& upload(const nn::Batch& batch, bool needs_labels);
  void start(Program& program, unsigned purposes, const StepInput& input, std::int64_t t,
             double learning_rate, Membership membership = Membership::none);
  void accumulate(const StepInput& input, bool begins_group);
  /// Training steps of `rows` samples each, at most kMostSteps, in whole groups where steps are
  /// grouped.
  void start_group(const StepInput& input, std::int64_t rows, std::int64_t t,
                   std::span<const double> learning_rates);
  void check_rows(const StepInput& input, std::int64_t rows) const;
  [[nodiscard]] StepNumbers numbers(std::int64_t t, double learning_rate, std::int64_t samples,
                                    std::uint32_t pass) const {
    return {learning_rate, t, samples, pass, masks_updates_ ? 1U : 0U};
  }
  /// What was started, and the scalars that say how it ended.
  nn::StepResult collect() const;
  void settle() const { started_ += collect(); }
  void copy_outputs(const Program& program, std::int64_t samples, std::span<float> outputs);
  [[nodiscard]] float* arena_memory(nn::Arena arena, std::size_t values) const;
  /// Gradients as float32 where the activations were.
  [[nodiscard]] float* seen_gradients() const;
  /// Parameters that no update changes, including running statistics, and where their values from
  /// before a group are kept, after its sums.
  struct Untrained {
    float *masters, *kept;
    std::byte* working;
    std::int64_t count;  ///< 0 where batches change none
  };
  [[nodiscard]] Untrained untrained() const;
  [[nodiscard]] Type type() const { return nn::storage_of(context_->options.precision); }
  [[nodiscard]] bool has_copies() const { return type() != Type::f32; }
  [[nodiscard]] bool scales() const { return context_->options.precision == nn::Precision::fp16; }
  void write_scalars(const Scalars& scalars) const;
  [[nodiscard]] Scalars read_scalars() const;

  std::shared_ptr<Context> context_;
  nn::Model model_;
  nn::CompileOptions options_;
  nn::Loss loss_;
  ParameterPlaces places_;
  Programs programs_;
  StepGroups groups_;
  MemoryNeeds needs_;
  std::int64_t outputs_ = 0;  // K
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> done_;  // what the host waits for

  // From allocate() to release():
  ExecutorMemory memory_;
  std::unique_ptr<Transfer> transfer_;
  Buffer pinned_scalars_, pinned_outputs_;
  std::optional<InputSlot> own_slot_;  // for batches in host memory, from the first of them on
  enum class Gradients { written, differentiated, given } gradients_ = Gradients::written;
  bool is_initialised_ = false;  // the parameters were written
  bool masks_updates_ = true;
  bool is_swapped_ = false;  // averages stand where weights do
  bool is_timed_ = false;
  mutable StepClock clock_;
  mutable std::int64_t samples_under_way_ = 0;
  std::int64_t samples_in_group_ = 0;  // whose update is still to come
  /// Of the last step of the group.
  Program* group_program_ = nullptr;
  InputMemory group_input_;
  mutable nn::StepResult started_;  // results of steps that had to be waited for before finish()
};

}  // namespace millrace::gpu::detail

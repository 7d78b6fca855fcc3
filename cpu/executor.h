#pragma once
// A model compiled for the processor; see engine.h for how to get one. Its memory is in
// executor_memory.cpp, its steps in executor.cpp.

#include <millrace/cpu/division.h>
#include <millrace/cpu/engine_options.h>
#include <millrace/cpu/programs.h>
#include <millrace/cpu/team.h>
#include <millrace/cpu/update.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace millrace::cpu {

class CpuExecutor : public nn::Executor {
 public:
  /// Options are valid, and `engine.threads` is positive here; `timings` are those of the engine,
  /// null unless it times. Throws Error where oneDNN cannot do an operation.
  CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
              const EngineOptions& engine, std::shared_ptr<Timings> timings);

  [[nodiscard]] const nn::Model& model() const override { return model_; }
  [[nodiscard]] std::vector<nn::MemoryLine> memory() const override;
  void allocate() override;
  void release() override;
  [[nodiscard]] double learning_rate() const override {
    return nn::learning_rate(options_.optimizer);
  }
  nn::StepResult train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  void start_accumulate(const nn::Batch& batch, bool begins_group) override;
  void start_update(std::int64_t t, double learning_rate) override;
  void drop_group() override;
  nn::StepResult finish() override;
  [[nodiscard]] std::int64_t accumulates() const override { return options_.accumulate; }
  nn::StepResult gradients(const nn::Batch& batch) override;
  nn::StepResult evaluate(const nn::Batch& batch, std::span<float> outputs) override;
  void predict(const nn::Batch& batch, std::span<float> outputs) override;
  void mask_updates(bool enabled) override { masks_updates_ = enabled; }
  [[nodiscard]] bool masks_updates() const override { return masks_updates_; }
  [[nodiscard]] bool keeps_average() const override {
    return options_.training && options_.average.has_value();
  }
  void swap_average() override;
  [[nodiscard]] bool is_swapped() const override { return is_swapped_; }
  void read(nn::Arena arena, std::span<float> values) const override;
  void write(nn::Arena arena, std::span<const float> values) override;
  [[nodiscard]] std::vector<nn::OpTiming> timings() const override;
  void reset_timings(bool enabled) override;
  void run_bare(const nn::Batch& batch);

 private:
  /// Compiles the programs so that memory() stays below the limit, if it can.
  void compile(const EngineOptions& engine);
  void plan_memory();
  void check(const nn::Batch& batch, bool needs_labels = true) const;
  void check_allocated() const;
  /// Forward, loss and backward of the data alone; leaves each slice's gradients.
  nn::StepResult differentiate(const nn::Batch& batch);
  /// Calls update(), which takes the step from gradients to new weights, and times it.
  template <class Update>
  double timed_update(Update&& update);
  /// What was computed from them is not theirs any more. A training program is prepared by what
  /// does not train.
  void weights_have_changed();
  /// Of L2, on the weights as they are.
  [[nodiscard]] double penalty();
  /// Runs the programs of a batch's slices, and copies their outputs unless there is no place.
  nn::StepResult run(const Programs::Slices& slices, Wanted wanted, const nn::Batch& batch,
                     std::span<float> outputs = {});
  /// Hands its rows of the batch to each slice's program; returns how many slices there are to run.
  std::int64_t begin(const Programs::Slices& slices, const nn::Batch& batch);
  /// Calls body(i) for each of the slices, on the threads that compute.
  template <class Body>
  void for_each_slice(std::int64_t count, Body&& body);
  [[nodiscard]] FlatArenas trainable_arenas() const;
  /// Of the parameters, what no update changes: running statistics, and frozen weights.
  [[nodiscard]] std::span<float> untrained() const;
  /// Those from before the current group, after the sums; empty if batches change none.
  [[nodiscard]] std::span<float> before_group() const;
  [[nodiscard]] const Buffer& buffer(nn::Arena arena, std::size_t values) const;

  nn::Model model_;
  nn::CompileOptions options_;
  int threads_;
  Division division_;
  Team team_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  std::optional<Tuner> tuner_;
  ParameterLayouts layouts_;
  std::optional<Programs> programs_;  // once compile() has come to an end
  std::optional<Updater> updater_;    // once the layouts are placed
  Bytes parameter_bytes_, gradient_bytes_, divided_gradient_bytes_, state_bytes_, mask_bytes_,
      sum_bytes_, average_bytes_;
  Buffer parameters_, masks_, shared_;
  Buffer sums_;  // of a group, and before_group()
  Buffer averages_;
  std::array<Buffer, nn::kMostStates> states_;
  struct SliceMemory {
    Buffer gradients, activations, scratch;
  };
  std::vector<SliceMemory> memory_;          // one a slice
  std::vector<std::uint64_t> positions_;     // of a batch that names none
  nn::Batch batch_;                          // of the step
  std::vector<nn::Batch> rows_;              // of its slices
  std::vector<nn::StepResult> results_;      // likewise
  std::vector<std::span<float>> gradients_;  // likewise
  std::size_t active_slices_ = 1;            // that the last step had
  const Program* prepared_ = nullptr;        // whose preparation the arenas hold
  std::optional<double> penalty_;            // of the weights as they are, if it is known
  Group group_;                              // under way
  nn::StepResult in_group_, updated_;        // of its batches; of groups since finish()
  bool is_initialised_ = false;              // the parameters were written
  bool masks_updates_ = true;
  bool is_swapped_ = false;  // averages stand where weights do
  bool is_timed_ = false;
  double update_seconds_ = 0;
  std::int64_t updates_ = 0;
};

}  // namespace millrace::cpu

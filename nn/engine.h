#pragma once
// The interface of a device for training: it compiles a model and runs steps. The float64 reference
// engine (reference/engine.h), the oneDNN engine (cpu/) and the CUDA engine (gpu/) are Engines;
// pipelines and programs use only this interface.

#include <millrace/core/buffer.h>
#include <millrace/core/bytes.h>
#include <millrace/core/shape.h>
#include <millrace/nn/device_input.h>
#include <millrace/nn/gradient.h>
#include <millrace/nn/loss.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/model.h>
#include <millrace/nn/optimizer.h>
#include <millrace/nn/precision.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::nn {

struct CompileOptions {
  std::int64_t batch = 32;  ///< the most samples in a step
  /// Other batch sizes, such as the last of an epoch: compiled ahead too.
  std::vector<std::int64_t> other_batches{};
  bool training = true;  ///< false: evaluate and predict only; no gradients, no optimizer state
  std::optional<Loss> loss{};  ///< default_loss(model) if absent
  /// Labels y become y (1 - s) + s / K before a softmax, y (1 - s) + s / 2 before a sigmoid, in
  /// training and in evaluation, as in Keras; 0 <= s < 1. Accuracy uses the original labels.
  double label_smoothing = 0;
  OptimizerOptions optimizer{};
  GradientOptions gradient{};
  bool masks = false;  ///< keep Arena::masks
  /// The most batches whose gradients one update adds: above 1, memory is kept for their
  /// sum and for the running statistics before them, and Executor::start_accumulate() may be
  /// called.
  std::int64_t accumulate = 1;
  /// Keep Arena::average, with this momentum m in (0, 1): after each update a trainable parameter w
  /// has the average m * average + (1 - m) * w. A skipped step does not change it.
  std::optional<double> average{};
  std::uint64_t seed = 0;  ///< of dropout
  /// How many steps will be asked for, where that is known: an engine that chooses algorithms by
  /// timing times nothing for a few of them, and uses times that are kept. None: many.
  std::optional<std::uint64_t> steps{};
};

/// A batch in the engine's memory. Rows [0, samples) are valid; the rest of the memory is ignored
/// and need not be initialised.
struct Batch {
  ConstTensorView input{};   ///< f32 [N][H][W][C] or [N][F], N >= samples
  ConstTensorView labels{};  ///< i32 [N] or f32 [N][K]; data may be null for predict
  /// [N] in host memory, or empty: all 1; with `weighs_outputs` [N][K], one an output.
  std::span<const float> weights{};
  /// For losses that are means over outputs (LossInfo::weighs_outputs): each output's term of the
  /// mean is multiplied by its weight. A weight of 0 masks it, and its label may be anything.
  bool weighs_outputs = false;
  std::int64_t samples = 0;  ///< 1 <= samples <= CompileOptions::batch
  std::uint32_t pass = 0;    ///< with `positions`, what dropout's masks are a function of
  std::span<const std::uint64_t> positions{};  ///< [N] in the pass, or empty: 0, 1, 2, ...
  /// The batch on the device (made by this engine; uploaded and cast), of which only `samples` and
  /// `pass` above are read; or null: then the fields above are read.
  DeviceInput* device = nullptr;
};

/// Rows [first, first + count) of a batch in host memory as a batch. Absent positions
/// count from 0 in it too.
[[nodiscard]] Batch slice(const Batch& batch, std::int64_t first, std::int64_t count);

/// One part of a compiled model's memory; for the plan of a pipeline and for `inspect`.
struct MemoryLine {
  std::string name;  ///< "parameters", "gradients", "optimizer state", "masks", "average",
                     ///< "activations", "scratch"
  Bytes bytes;
};

/// Time spent in an operation since reset, for `bench compute`.
struct OpTiming {
  std::string name;            ///< "conv2 forward"
  std::string implementation;  ///< the library's name: "jit:avx512_core", "gemm", ...
  double seconds = 0;
  std::int64_t calls = 0;
};

/// The flat arenas. Their external layout is Parameter::offset, elements in the order of
/// Parameter::shape, whatever the engine's own layout is.
enum class Arena {
  parameters,
  gradients,
  state0,  ///< of the optimizer, which keeps state_arenas() of them
  state1,
  masks,   ///< 0 or 1 for each trainable element, 1 at first; only with CompileOptions::masks
  average  ///< of the trainable elements; only with CompileOptions::average. Writing the
           ///< parameters writes it too.
};
/// State `index` of the optimizer, from 0 on.
[[nodiscard]] constexpr Arena state_arena(int index) noexcept {
  static_assert(kMostStates == 2);
  return index == 0 ? Arena::state0 : Arena::state1;
}
/// The inverse; -1 for an arena that is not a state.
[[nodiscard]] constexpr int state_index(Arena arena) noexcept {
  return arena == Arena::state0 ? 0 : arena == Arena::state1 ? 1 : -1;
}

/// A model compiled for a device. compile() allocates nothing large: memory() is known first,
/// allocate() takes it, and then a step allocates nothing.
///
/// Thread safety: none; one thread at a time, the engine lane of a pipeline.
class Executor {
 public:
  virtual ~Executor() = default;
  [[nodiscard]] virtual const Model& model() const = 0;
  [[nodiscard]] virtual std::vector<MemoryLine> memory() const = 0;
  /// Takes the memory; parameters are zero until write(), and cannot be trained until then. Throws
  /// std::bad_alloc.
  virtual void allocate() = 0;
  /// Releases the memory of allocate(), which may be called again. No contents are kept.
  virtual void release() = 0;

  /// Of the optimizer that it was compiled with: the rate of all steps, or the rate from which a
  /// schedule computes that of each step (TrainStep).
  [[nodiscard]] virtual double learning_rate() const = 0;

  /// One training step: forward, loss, backward, update. `t` counts steps from 1; `learning_rate`
  /// is that of this step. Gradients are then those that the optimizer received: with the part of
  /// L2, and clipped. Throws Error if the parameters were never written, as all training does.
  virtual StepResult train(const Batch& batch, std::int64_t t, double learning_rate) = 0;
  /// The same in two halves, so that callers need not wait for a device after each step:
  /// start_train() returns when the step is queued (on a CPU: done), finish() waits for all steps
  /// since the last finish() and returns the sum of their results. All other calls wait for queued
  /// steps first.
  virtual void start_train(const Batch& batch, std::int64_t t, double learning_rate);
  virtual void start_evaluate(const Batch& batch);
  /// Several training steps in one call: step i is rows [i * rows, (i + 1) * rows) of the batch,
  /// the last one the rest. `learning_rates` has one for each update; `t` is that of the first. The
  /// result is that of as many start_train(), to the bit. `rows` is at most CompileOptions::batch;
  /// the batch itself may hold more. If accumulates() is above 1, steps are grouped by that number,
  /// from the first on, and the last group is the rest.
  virtual void start_steps(const Batch& batch, std::int64_t rows, std::int64_t t,
                           std::span<const double> learning_rates);
  virtual StepResult finish();

  /// Gradient accumulation. A batch of a group: forward and backward, and its gradients are added
  /// to those of the group. `begins_group`: drops the sums of an unfinished group before it. If
  /// there is no group, as after allocate() and after an update, one begins either way.
  /// Throws Error unless CompileOptions::accumulate is above 1.
  virtual void start_accumulate(const Batch& batch, bool begins_group);
  /// The update of the group, by the gradient of the mean over all its samples: that of one batch
  /// with all of them, except for rounding, and for batch norm, whose statistics are those of each
  /// batch. L2, clips, loss scale and masks act once. finish() reports a group's batches when
  /// their update has been started, and not before. Throws Error if there is no group.
  virtual void start_update(std::int64_t t, double learning_rate);
  /// Drops the batches of the current group and their effects: batch norm's running
  /// statistics are again those from before the first of them. Does nothing without a group.
  virtual void drop_group();
  [[nodiscard]] virtual std::int64_t accumulates() const { return 1; }  ///< CompileOptions'

  /// Forward and backward without the update; gradients are then readable: those of the returned
  /// loss, including L2, not clipped. Batch norm's running statistics are updated as in
  /// train().
  virtual StepResult gradients(const Batch& batch) = 0;
  /// Loss and accuracy as outside training (running statistics, no dropout). The same forward pass
  /// writes predict()'s outputs into `outputs`, unless it is empty.
  virtual StepResult evaluate(const Batch& batch, std::span<float> outputs) = 0;
  StepResult evaluate(const Batch& batch) { return evaluate(batch, {}); }
  /// The model's output, [samples][K], into host memory.
  virtual void predict(const Batch& batch, std::span<float> outputs) = 0;

  /// Whether train() multiplies the weights that it has updated by their masks. True after
  /// allocate(); without masks it makes no difference.
  virtual void mask_updates(bool enabled) = 0;
  [[nodiscard]] virtual bool masks_updates() const = 0;  ///< the last argument of mask_updates()

  /// Whether there is an Arena::average. Masks that updates apply to weights are applied to it too.
  [[nodiscard]] virtual bool keeps_average() const { return false; }
  /// Exchanges the trainable parameters and their averages, to the bit: evaluating, predicting
  /// and reading then use the averages as weights. An update throws Error until they are exchanged
  /// back; AverageScope (average.h) does that. Throws Error if no average is kept.
  virtual void swap_average();
  [[nodiscard]] virtual bool is_swapped() const {
    return false;
  }  ///< averages are in place of weights

  /// Copies an arena out of or into the engine; arena_elements() values for parameters,
  /// trainable_elements() for the others. Throws Error for an arena that is not kept.
  virtual void read(Arena arena, std::span<float> values) const = 0;
  [[nodiscard]] std::vector<float> read(Arena arena) const;
  virtual void write(Arena arena, std::span<const float> values) = 0;

  /// Of an engine whose precision scales the loss; nothing for others. A skipped step
  /// counts in its StepResult like any other.
  [[nodiscard]] virtual std::optional<LossScaleState> loss_scale() const { return std::nullopt; }
  virtual void set_loss_scale(const LossScaleState&) {}

  [[nodiscard]] virtual std::vector<OpTiming> timings() const = 0;
  virtual void reset_timings(bool enabled) = 0;  ///< off by default: two clock reads an operation

 private:
  StepResult finished_;  // of steps that start_ functions ran to their end
};

/// Throws UsageError that names the first option out of range. Engines call it in compile().
void validate(const CompileOptions& options);

/// For engines, before they add to a group or update by it. Throws Error as start_accumulate() and
/// start_update() say.
void check_accumulates(const CompileOptions& options);
void check_group(std::int64_t samples);
/// For engines: before an update, and before swap_average(), which throws Error as it says.
void check_not_swapped(const Executor& executor);
void check_keeps_average(const Executor& executor);
/// Before a step that trains: its parameters were written since allocate().
void check_initialised(const Executor& executor, bool has_parameters);
/// Of start_steps(): there is a learning rate for each update.
void check_steps(std::int64_t samples, std::int64_t rows, std::int64_t accumulate,
                 std::size_t learning_rates);

[[nodiscard]] Bytes total(const std::vector<MemoryLine>& lines);

/// Throws Error, naming the part, unless the batch fits a model compiled for `max_samples`. For
/// engines, before they touch the batch; evaluate_loss checks the labels' type and shape.
void check_batch(const Batch& batch, const Model& model, std::int64_t max_samples,
                 bool needs_labels);

/// Of a device with its own memory.
struct DeviceMemory {
  Bytes free, total;
};

/// A device that can compile. Thread-safe: const all through.
class Engine {
 public:
  virtual ~Engine() = default;
  /// "cpu: oneDNN 2.6.3, 2 threads, AVX-512".
  [[nodiscard]] virtual std::string description() const = 0;
  /// Memory for batch slots that stages on the host fill: pinned if that helps.
  [[nodiscard]] virtual Buffer host_buffer(Bytes size) const = 0;
  /// Memory that steps read. Equal to host memory on a CPU.
  [[nodiscard]] virtual Buffer device_buffer(Bytes size) const = 0;
  /// True if steps can read host memory, so that copying to the device only passes a pointer.
  [[nodiscard]] virtual bool shares_host_memory() const = 0;
  /// A slot for batches if steps cannot read host memory. Throws Error if they can, and if
  /// the device has no memory left.
  [[nodiscard]] virtual std::unique_ptr<DeviceInput> device_input(
      const DeviceInputLayout& layout) const;
  /// What device_input() takes of the device's memory.
  [[nodiscard]] virtual Bytes device_input_bytes(const DeviceInputLayout&) const { return {}; }
  /// Device memory for `samples` samples of pixels (u8 or f32). Throws Error if steps can read
  /// host memory.
  [[nodiscard]] virtual std::shared_ptr<ResidentPixels> resident_pixels(const Shape& sample,
                                                                        DType pixels,
                                                                        std::int64_t samples) const;
  /// Of the device, now; nothing if steps read host memory.
  [[nodiscard]] virtual std::optional<DeviceMemory> device_memory() const { return std::nullopt; }
  [[nodiscard]] virtual Precision precision() const { return Precision::fp32; }
  /// What compile() has chosen by timing since the engine was made, as the text of a file; empty if
  /// nothing was. A run keeps it, since its results depend on it.
  [[nodiscard]] virtual std::string choices() const { return {}; }
  /// Throws Error if the engine cannot do an operation.
  [[nodiscard]] virtual std::unique_ptr<Executor> compile(const Model& model,
                                                          const CompileOptions& options) const = 0;
};

}  // namespace millrace::nn

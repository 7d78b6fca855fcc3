#pragma once
// A lowered graph: device work over slots of memory, for one batch size. Lowering (lowering.h)
// writes it, the executor runs it. A program knows its memory before it has any; bind() gives it
// some. Work is prepared once for each input that comes, and after its first run captured as a
// graph, so a step is one launch.

#include <millrace/core/bytes.h>
#include <millrace/gpu/context.h>
#include <millrace/gpu/device.h>
#include <millrace/gpu/kernels/update.h>
#include <millrace/gpu/scalars.h>
#include <millrace/nn/engine.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace millrace::gpu {

using SlotId = std::size_t;  ///< index into Lowered::slots
inline constexpr SlotId kNoSlot = static_cast<SlotId>(-1);

/// Which memory a slot lies in.
enum class Place { activations, masters, working, gradients, input };

/// A piece of device memory.
struct Slot {
  Place place = Place::activations;
  std::int64_t bytes = 0;
  std::int64_t offset = 0;   ///< bytes; in the activations: planned
  int first = 0, last = -1;  ///< the steps that use it
};

/// The device memory of an executor, which its programs share. What it does not keep is null.
struct Arenas {
  float* masters = nullptr;
  std::byte* working = nullptr;  ///< masters itself where the storage type is float32
  std::byte* gradients = nullptr;
  float* sums = nullptr;                         ///< of the gradients of a group
  float* given = nullptr;                        ///< gradients as the optimizer got them, with L2
  std::array<float*, nn::kMostStates> states{};  ///< of the optimizer
  float* masks = nullptr;
  float* average = nullptr;  ///< of the trainable masters
  std::byte* activations = nullptr;
  std::byte* workspace = nullptr;
  Segment* segments = nullptr;
  double* partials = nullptr;
  double* norms = nullptr;
  Scalars* scalars = nullptr;
  StepNumbers* steps = nullptr;  ///< [kMostSteps] of a group, see step_group.h
};

/// Memory that is nowhere: what steps are prepared with to see which work they are.
[[nodiscard]] const Arenas& no_arenas();

/// Where a batch lies on the device.
struct InputMemory {
  void* input = nullptr;  ///< [N][pixels][stored channels] of the storage type
  const void* labels = nullptr;
  const float* weights = nullptr;
  const std::uint64_t* positions = nullptr;
  bool labels_are_indices = true;
  bool weighs_outputs = false;  ///< weights are [N][K]
  friend bool operator==(const InputMemory&, const InputMemory&) = default;
};

/// What a step's work finds its memory by. A slot that a step asks for is one that it uses.
class Addresses {
 public:
  virtual ~Addresses() = default;
  /// Null for kNoSlot.
  [[nodiscard]] std::byte* operator()(SlotId slot) const {
    return slot == kNoSlot ? nullptr : address(slot);
  }
  template <class T>
  [[nodiscard]] T* as(SlotId slot) const {
    return reinterpret_cast<T*>((*this)(slot));
  }
  [[nodiscard]] virtual const Arenas& arenas() const = 0;
  [[nodiscard]] virtual const InputMemory& input() const = 0;

 private:
  [[nodiscard]] virtual std::byte* address(SlotId slot) const = 0;
};

/// Of a library.
template <class Operation, class Memory>
struct Call {
  const OperationPlan<Operation>* plan = nullptr;
  Memory memory;
};
using ConvolutionCall = Call<Convolution, ConvolutionMemory>;
using MatmulCall = Call<Matmul, MatmulMemory>;
using Work = std::variant<Launch, ConvolutionCall, MatmulCall>;
using Bind = std::function<Work(const Addresses&)>;

/// Captures the work that `queue` queues in the stream instead of running it. If it throws, the
/// capture is ended first, since the stream would otherwise take no more work.
[[nodiscard]] std::unique_ptr<StepGraph> captured(Device& device, Stream& stream,
                                                  const std::function<void()>& queue);

/// What a run of a program is for; a step belongs to some of them, a run may be of several.
enum Purpose : unsigned {
  kTrain = 1,          ///< forward, backward, update
  kDifferentiate = 2,  ///< without the update
  kLoss = 4,           ///< of evaluation
  kOutput = 8,         ///< what predict() returns
  kSum = 16,           ///< with kDifferentiate: the gradients are added to those of a group
  kUpdate = 32,        ///< of a group
};

struct Step {
  std::string name;            ///< "conv2 forward"
  std::string implementation;  ///< "cudnn:...", "cublaslt:...", "millrace:..."
  unsigned purposes = 0;
  Bind bind;
  double seconds = 0;  ///< since reset_timings()
  std::int64_t calls = 0;
};

/// What lowering makes.
struct Lowered {
  std::int64_t batch = 0;
  std::vector<Slot> slots;
  std::vector<Step> steps;
  SlotId output = kNoSlot;  ///< float32 [N][output_stored]; kNoSlot in training
  std::int64_t output_width = 0, output_stored = 0;
};

/// Not thread-safe.
class Program {
 public:
  /// Plans the activations.
  explicit Program(Lowered lowered);

  [[nodiscard]] std::int64_t batch() const { return batch_; }
  [[nodiscard]] Bytes activations() const { return activations_; }
  /// The most of them at a time, each of whole 64 bytes: no plan takes less.
  [[nodiscard]] Bytes alive() const { return alive_; }
  [[nodiscard]] Bytes workspace() const { return workspace_; }

  /// Replaces what was bound before.
  void bind(const Arenas& arenas);
  void unbind();

  /// Queues the steps of `purposes`. With `graphs`, all but the first such run is one launch of
  /// what was captured for this input; a capture is made when an input first comes. Requires
  /// bind().
  void run(Device& device, Stream& stream, unsigned purposes, const InputMemory& input,
           bool graphs);
  /// Queues them as they are and keeps nothing: for a graph of several programs' work.
  void queue(Device& device, Stream& stream, unsigned purposes, const InputMemory& input) const;
  /// As run(), step by step, waiting for each: adds to the steps' timings.
  void run_timed(Context& context, Stream& stream, unsigned purposes, const InputMemory& input);

  /// What predict returns: float32 [batch()][output_stored()], after a run of kOutput.
  [[nodiscard]] const std::byte* output() const;
  [[nodiscard]] std::int64_t output_width() const { return output_width_; }
  [[nodiscard]] std::int64_t output_stored() const { return output_stored_; }

  void reset_timings();
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] const std::vector<Slot>& slots() const { return slots_; }

 private:
  struct Captured {
    unsigned purposes = 0;
    std::unique_ptr<StepGraph> graph;
  };
  struct Prepared {  // for one input
    InputMemory input;
    std::vector<Work> work;  // one a step
    std::vector<Captured> captured;
  };

  void find_uses();
  void plan();
  Prepared& prepared(const InputMemory& input);
  void queue(Device& device, Stream& stream, unsigned purposes, const Prepared& prepared) const;

  std::int64_t batch_;
  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  SlotId output_;
  std::int64_t output_width_, output_stored_;
  Bytes activations_, alive_, workspace_;
  Arenas arenas_;
  std::vector<std::unique_ptr<Prepared>> prepared_;
  std::uint64_t ran_ = 0;  // purposes that ran, one bit each combination
};

}  // namespace millrace::gpu

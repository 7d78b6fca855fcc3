#pragma once
// A lowered graph: steps over slots of memory, for one batch size. Lowering (lowering.h) writes it,
// the executor runs it. A program knows its memory before it has any; bind() gives it some, and
// run() allocates nothing.

#include <millrace/core/bytes.h>
#include <millrace/cpu/onednn.h>
#include <millrace/cpu/parameters.h>
#include <millrace/nn/engine.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace millrace::cpu {

using SlotId = std::size_t;  ///< index into Lowered::slots
inline constexpr SlotId kNoSlot = static_cast<SlotId>(-1);

/// Which memory a slot lies in.
enum class Place { activations, parameters, gradients, input };

/// A piece of memory with a layout. A view shares the memory of another slot, its root.
struct Slot {
  Layout layout;
  Place place = Place::activations;
  int parameter = -1;        ///< for parameters and their gradients
  SlotId root = kNoSlot;     ///< itself, or the slot that it is a view of
  int first = 0, last = -1;  ///< of roots: the steps that use it
  std::int64_t offset = 0;   ///< of roots in the activations: bytes
};

/// What a step's own loops see of the run.
struct Run {
  const nn::Batch* batch = nullptr;
  nn::StepResult result;
};

/// A loop of this engine: gets the memory of the step's slots, in the order of Step::uses.
using Loop = std::function<void(std::span<std::byte* const> memory, Run& run)>;

/// Steps that only a loss or only a prediction needs. A step of both always runs; a run of both
/// runs all steps.
enum class Part { both, loss, output };

struct Use {
  int argument = 0;  ///< DNNL_ARG_..., ignored by own loops
  SlotId slot = kNoSlot;
};

struct Step {
  std::string name;            ///< "conv2 forward"
  std::string implementation;  ///< oneDNN's word for it, or "millrace:..."
  std::vector<Use> uses;
  Part part = Part::both;
  bool is_main_work = false;  ///< Kernel::is_main_work, or the loss
  dnnl::primitive primitive;  ///< empty for an own loop
  Loop loop;
  Layout scratch;      ///< what the primitive needs besides its arguments
  double seconds = 0;  ///< since reset_timings
  std::int64_t calls = 0;
};

/// The memory that the programs of an executor share.
struct Arenas {
  std::byte* parameters = nullptr;
  std::byte* gradients = nullptr;
  std::byte* activations = nullptr;
  std::byte* scratch = nullptr;
};

/// What lowering makes.
struct Lowered {
  std::int64_t batch = 0;
  std::vector<Slot> slots;
  std::vector<Step> steps;
  SlotId input = kNoSlot;
  SlotId output = kNoSlot;  ///< plain [N][K]; kNoSlot in training
};

/// Not thread-safe.
class Program {
 public:
  /// Plans the activations. Throws nothing but std::bad_alloc.
  Program(Lowered lowered, const dnnl::engine& engine);

  [[nodiscard]] std::int64_t batch() const { return batch_; }
  [[nodiscard]] Bytes activations() const { return activations_; }
  [[nodiscard]] Bytes scratch() const { return scratch_; }

  /// Replaces what was bound before.
  void bind(const Arenas& arenas, const ParameterLayouts& parameters);
  [[nodiscard]] bool is_bound() const { return !memories_.empty(); }

  void unbind();

  /// Runs the steps of `part` and those of both. A batch of fewer samples than batch() is filled up
  /// with rows of zeros. Requires is_bound().
  nn::StepResult run(Part part, const nn::Batch& batch, bool timed);
  /// Runs the main work of all parts alone. Results are of no use.
  void run_bare(const nn::Batch& batch);
  /// What predict returns: [batch()][K], after run(Part::output, ...) or
  /// run(Part::both, ...).
  [[nodiscard]] const float* output() const;

  [[nodiscard]] std::int64_t output_width() const;  ///< K

  void reset_timings();
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
  struct Bound {  // a step's arguments, made once
    std::vector<dnnl_exec_arg_t> arguments;
    std::vector<std::byte*> memory;
  };

  void plan();
  std::byte* address(const Slot& slot, const Arenas& arenas,
                     const ParameterLayouts& parameters) const;
  void bind_step(std::size_t step, const dnnl::memory& scratch);
  void set_input(const nn::Batch& batch);
  void run_step(std::size_t step, Run& run);

  std::int64_t batch_;
  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  SlotId input_, output_, staging_ = kNoSlot;
  dnnl::engine engine_;
  dnnl::stream stream_;
  Bytes activations_, scratch_;
  std::vector<dnnl::memory> memories_;  // one a slot; scratch memories follow
  std::vector<Bound> bound_;
};

}  // namespace millrace::cpu

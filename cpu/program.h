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
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::cpu {

using SlotId = std::size_t;  ///< index into Lowered::slots
inline constexpr SlotId kNoSlot = static_cast<SlotId>(-1);

/// Which memory a slot lies in: that of a slice of the batch, or one that all slices have. What is
/// prepared is made by the first slice's program, and stays.
enum class Place { activations, shared, prepared, parameters, gradients, input };

/// A piece of memory with a layout. A view shares the memory of another slot, its root. What is
/// shared lies slice after slice: a slot is the slice's own rows of it, or all of them.
struct Slot {
  Layout layout;
  Place place = Place::activations;
  bool is_whole = false;     ///< all slices' rows; of gradients: those of the whole batch
  int parameter = -1;        ///< for parameters and their gradients
  std::int64_t within = 0;   ///< likewise: bytes from where the parameter begins
  SlotId root = kNoSlot;     ///< itself, or the slot that it is a view of
  int first = 0, last = -1;  ///< of roots: the steps that use it
  std::int64_t offset = 0;   ///< of roots among activations or what is shared: bytes
};

/// What a step's own loops see of the run.
struct Run {
  const nn::Batch* batch = nullptr;  ///< the slice's rows
  std::int64_t samples = 0;          ///< of the whole batch
  float share = 1;                   ///< of them that are these rows
  nn::StepResult result;
};

/// What a loop of this engine gets: the memory of the step's slots, in the order of Step::uses,
/// then its scratch if it has any.
using Memory = std::span<std::byte* const>;
using Loop = std::function<void(Memory memory, Run& run)>;
[[nodiscard]] inline float* floats(Memory memory, std::size_t i) {
  return reinterpret_cast<float*>(memory[i]);
}

/// Steps that only a loss or only a prediction needs. A step of both always runs; a run of both
/// runs all steps.
enum class Wanted { both, loss, output };

struct Use {
  int argument = 0;  ///< DNNL_ARG_..., ignored by own loops
  SlotId slot = kNoSlot;
  // Of steps in rounds:
  Layout layout{};           ///< of a round's samples
  std::size_t stride = 0;    ///< bytes from a round's to the next one's
  SlotId partial = kNoSlot;  ///< where rounds but the first write what is added up in `slot`
};

struct Step;
/// A step for this many samples: without a name, its uses with the layouts of these samples in the
/// same order. Nothing where oneDNN has no such kernel.
using ForRows = std::function<std::optional<Step>(std::int64_t rows)>;

struct Step {
  std::string name{};            ///< "conv2 forward"
  std::string implementation{};  ///< oneDNN's word for it, or "millrace:..."
  std::vector<Use> uses{};
  Wanted wanted = Wanted::both;
  bool is_main_work = false;    ///< Kernel::is_main_work, or a loop in place of such a kernel
  bool begins_section = false;  ///< all slices have done what comes before
  dnnl::primitive primitive{};  ///< empty for an own loop
  Loop loop{};
  Layout scratch{};  ///< what the work needs besides its arguments
  /// The same for this many samples, in the same layouts; empty if that makes no sense.
  ForRows for_rows{};
  std::int64_t rounds = 1;    ///< that the steps inside take turns in, over some rows each
  std::vector<Step> inner{};  ///< see compute_in_rounds(); then there is neither primitive nor loop
  double seconds = 0;         ///< since reset_timings
  std::int64_t calls = 0;
};

/// The memory of a slice, and what it shares with the others.
struct Arenas {
  std::byte* parameters = nullptr;
  std::byte* gradients = nullptr;        ///< of what is divided by samples
  std::byte* whole_gradients = nullptr;  ///< of what is divided by outputs
  std::byte* activations = nullptr;
  std::byte* shared = nullptr;
  std::byte* prepared = nullptr;  ///< in the first slice's activations
  std::byte* scratch = nullptr;
};

/// What lowering makes.
struct Lowered {
  bool trains = false;
  std::int64_t batch = 0;              ///< rows of a slice
  std::int64_t slice = 0, slices = 1;  ///< whose program it is, of how many
  std::vector<Slot> slots;
  /// What follows from parameters alone: run once, until these change.
  std::vector<Step> preparation;
  std::vector<Step> steps;
  SlotId input = kNoSlot;
  SlotId output = kNoSlot;  ///< plain [N][K]; kNoSlot in training
};

/// Puts steps into rounds where what lies between them is large and nobody else uses it. Steps that
/// can be cut have Step::for_rows. Throws Error where oneDNN fails.
void compute_in_rounds(Lowered& lowered);

/// Not thread-safe.
class Program {
 public:
  /// Plans the activations. Throws nothing but std::bad_alloc.
  Program(Lowered lowered, const dnnl::engine& engine);

  [[nodiscard]] bool trains() const { return trains_; }
  [[nodiscard]] std::int64_t batch() const { return batch_; }
  /// With what is prepared, of the first slice.
  [[nodiscard]] Bytes activations() const { return activations_; }
  /// Of what all slices' programs have together; the same in each.
  [[nodiscard]] Bytes shared() const { return shared_; }
  /// The most of both at a time, each of whole 64 bytes: no plan takes less.
  [[nodiscard]] Bytes alive() const { return alive_; }
  [[nodiscard]] Bytes scratch() const { return scratch_; }

  /// Replaces what was bound before.
  void bind(const Arenas& arenas, const ParameterLayouts& parameters);
  [[nodiscard]] bool is_bound() const { return !memories_.empty(); }

  void unbind();

  /// Takes `rows`, this slice's of the batch that `all` is; both outlive the run. Requires
  /// is_bound().
  void begin(const nn::Batch& rows, const nn::Batch& all);
  /// Whether begin() copies rows of this batch, for the other slices too: because there are fewer
  /// than the programs are for, which are filled up with zeros.
  [[nodiscard]] bool copies_rows(const nn::Batch& all) const {
    return all.samples < batch_ * slices_;
  }
  /// Does the preparation, in the first slice's program, for all of them: before the first run, and
  /// again when parameters that it reads or this memory have changed.
  void prepare(bool timed);
  /// Slices that read what others have made wait for them between sections.
  [[nodiscard]] std::size_t sections() const { return sections_.size() - 1; }
  /// Runs a section's steps of `wanted` and those of both.
  nn::StepResult run(std::size_t section, Wanted wanted, bool timed);
  /// Runs the main work of all slices alone. Results are of no use.
  void run_bare(std::size_t section);
  /// What predict returns: [batch()][K], after run(Wanted::output, ...) or
  /// run(Wanted::both, ...).
  [[nodiscard]] const float* output() const;

  [[nodiscard]] std::int64_t output_width() const;  ///< K

  void reset_timings();
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
  struct Bound {  // a step's arguments, made once
    std::vector<dnnl_exec_arg_t> arguments;
    std::vector<std::byte*> memory;
    std::vector<Bound> inner;
    std::vector<dnnl::memory> views;  // of a round's samples
  };

  void plan();
  std::byte* address(const Slot& slot, const Arenas& arenas,
                     const ParameterLayouts& parameters) const;
  void bind_step(std::size_t step, const dnnl::memory& scratch);
  Bytes place(Place place, std::int64_t slices);
  void set_input(const std::byte* rows, const std::byte* all);
  void run_step(std::size_t step, Run& run);
  void run_timed(std::size_t step, bool timed);
  void run_rounds(const Step& step, Bound& bound);

  bool trains_;
  std::int64_t batch_, slice_, slices_;
  std::vector<Slot> slots_;
  std::vector<Step> steps_;
  SlotId input_, output_, staging_ = kNoSlot;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::size_t preparation_;  // how many steps that is, the first ones
  Bytes prepared_, activations_, shared_, alive_, scratch_;
  std::vector<std::size_t> sections_;  // where they begin; then where the last one ends
  bool reads_whole_input_ = false;
  Run run_;
  std::vector<dnnl::memory> memories_;  // one a slot; scratch memories follow
  std::vector<Bound> bound_;
};

}  // namespace millrace::cpu

#pragma once
// From a graph of operations to a program of steps: gives each value a layout and a slot, converts
// between operations with different layouts, and appends steps. The kinds of layers (the files
// beside this one) are written in these terms.

#include <millrace/cpu/division.h>
#include <millrace/cpu/engine_options.h>
#include <millrace/cpu/layouts.h>
#include <millrace/cpu/parameters.h>
#include <millrace/cpu/program.h>
#include <millrace/cpu/tuner.h>
#include <millrace/nn/graph.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/value_uses.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cpu {

inline constexpr const char* kLossStep = "loss";

class Lowering {
 public:
  struct Options {
    std::uint64_t seed = 0;  ///< of dropout
    int threads = 1;         ///< of OpenMP, that an operation has
    Division division{};     ///< of a step
    std::int64_t slice = 0;  ///< whose program it is
    Algorithms algorithms = Algorithms::direct;
    Tuner* tuner = nullptr;        ///< with Algorithms::fastest
    std::int64_t timed_batch = 0;  ///< the batch size whose times decide for all
    bool may_time = false;         ///< else the times that are kept decide
    /// Kernels that were chosen among ways, in order: by slice 0, which fills it, for all slices.
    std::vector<std::string>* chosen = nullptr;
    Bytes most_scratch{~std::uint64_t{0}};  ///< of an algorithm, if there is another
    bool folds_norms = true;  ///< into weights of convolutions: worth it for many runs
  };
  /// What a layer's backward operations want to know of its forward one.
  struct Forward {
    Layout source, destination;  ///< as the forward kernel reads and writes them
  };

  Lowering(const nn::Graph& graph, const Options& options, ParameterLayouts& parameters,
           const dnnl::engine& engine);

  /// Throws Error where oneDNN cannot do an operation.
  [[nodiscard]] Lowered run() &&;

  // The graph.
  [[nodiscard]] const dnnl::engine& engine() const { return engine_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const nn::Graph& graph() const { return graph_; }
  [[nodiscard]] onednn::Purpose purpose() const;
  [[nodiscard]] const Shape& shape(nn::ValueId id) const { return graph_.value(id).shape; }
  [[nodiscard]] Forward& forward(const nn::Op& op);
  [[nodiscard]] std::string step_name(const nn::Op& op, std::string_view detail = {}) const {
    return nn::step_name(graph_, op, detail);
  }
  /// Whether the operation does some outputs of all rows here: a dense layer, forward and for the
  /// gradients of its parameters, in training.
  [[nodiscard]] bool is_by_outputs(const nn::Op& op) const;

  // Values and where they lie.
  [[nodiscard]] SlotId slot_of(nn::ValueId id) const;
  [[nodiscard]] const Layout& layout(SlotId slot) const { return lowered_.slots[slot].layout; }
  /// The layout of a value where loops can go over its channels, else the logical order: a
  /// flattened image lies as the image does.
  [[nodiscard]] Layout image_layout(nn::ValueId id) const;
  /// Whether in_layout() would convert nothing.
  [[nodiscard]] bool has_layout(nn::ValueId id, const Layout& wanted) const;
  /// A value in a layout; appends a reorder unless it has been made already.
  SlotId in_layout(nn::ValueId id, const Layout& wanted);
  /// Memory for a value (for none, if `id` is -1).
  SlotId make(nn::ValueId id, const Layout& layout);
  /// The same, over memory that the current operation is the last to read, if it is (-1: for none).
  SlotId make_in_place(nn::ValueId id, SlotId over);
  /// Another value that lies where `from` does.
  void rename(nn::ValueId from, nn::ValueId to) { place(to, slot_of(from)); }
  SlotId temporary(const Layout& layout);
  /// What lies in a slot, in a layout; appends a reorder unless it has been made already.
  SlotId convert(SlotId slot, const Layout& wanted);
  /// All slices' rows of what lies row by row in `slot`. An operation that reads rows that others
  /// have written begins a section before.
  SlotId whole(SlotId slot);
  /// A sum of two that alone reads a value, the other one of which is made already.
  struct Sum {
    const nn::Op* op = nullptr;  ///< null: there is none
    nn::ValueId other = -1;
  };
  [[nodiscard]] Sum sum_behind(nn::ValueId id) const;
  /// Whether the current operation, which is not elementwise, may write over the other
  /// value when it does the sum's work.
  [[nodiscard]] bool may_add_into(const Sum& sum) const;
  /// What a kernel makes that does the work of later operations right away.
  struct Made {
    nn::ValueId value = -1;
    nn::ValueId added = -1;  ///< another value, unless it is -1; then
    float ceiling = kNoRectifier;
    [[nodiscard]] onednn::After after() const { return {added >= 0, ceiling}; }
    /// What is appended to its step's name: "+ add + relu".
    [[nodiscard]] std::string detail() const;
  };
  /// The current kernel does the work of `sum`, which reads the value, if there is one, and of
  /// the ReLU or ReLU6 that alone reads the result: these are left out.
  [[nodiscard]] Made fuse(nn::ValueId id, const Sum& sum);
  [[nodiscard]] Made fuse(nn::ValueId id) { return fuse(id, Sum{}); }

  /// For a maximum pooling's backward pass whose result only the backward pass of the ReLU before
  /// it reads: that pass, and what the pooling made. A maximum is above zero if the pixel that
  /// it came from is, so the ReLU's work can be done on what comes into the pooling, a quarter of
  /// the pixels. The caller calls leave_out().
  struct PooledRelu {
    const nn::Op* op = nullptr;  ///< null: there is none
    nn::ValueId pooled = -1;
  };
  [[nodiscard]] PooledRelu relu_before(const nn::Op& pooling) const;
  void leave_out(const nn::Op& op);
  /// The same for a later operation whose work the current one does: it reads now what that would
  /// read, whose memory may be free then.
  void absorb(const nn::Op& op);
  [[nodiscard]] bool is_left_out(const nn::Op& op) const { return left_out_[uses_.index_of(op)]; }
  /// The backward pass of the ReLU or ReLU6 directly after a batch norm that uses the batch's
  /// statistics, if the norm's backward pass, which is `op`, does its work: it computes the
  /// normalised value again from its input.
  [[nodiscard]] nn::ValueUses::Rectifier rectifier_behind_norm(const nn::Op& op) const;
  /// Whether the value has a place.
  [[nodiscard]] bool is_made(nn::ValueId id) const {
    return slots_[static_cast<std::size_t>(id)] != kNoSlot;
  }
  [[nodiscard]] const nn::ValueUses& uses() const { return uses_; }

  // Parameters.
  /// The layout that the parameter has; Tag::any before the first kernel has asked for it.
  [[nodiscard]] Layout parameter_layout(nn::ValueId id) const;
  SlotId parameter(nn::ValueId id, const Layout& wanted);
  /// One of the operation's, in the logical order.
  SlotId plain_parameter(const nn::Op& op, nn::Role role);
  /// A parameter without a conversion: `wanted` counts if no kernel has asked for it before.
  SlotId parameter_as_it_lies(nn::ValueId id, const Layout& wanted);
  /// Where a kernel writes a parameter's gradient: its place in the arena, if `written` is the
  /// layout there, else memory that store() converts from.
  SlotId gradient(nn::ValueId id, const Layout& written);
  /// A piece of a parameter whose layout is `all`, or of its gradient: what has the layout `piece`
  /// and lies `within` bytes from its beginning.
  SlotId piece(nn::ValueId id, const Layout& all, const Layout& piece, std::size_t within);

  // Steps.
  /// Appends the steps of `body`, which read parameters alone, to the preparation. What they leave
  /// to other steps lies in prepared(); nothing that they convert serves others.
  template <class Body>
  void prepare(Body&& body) {
    is_preparing_ = true;
    body();
    is_preparing_ = false;
  }
  SlotId prepared(const Layout& layout) {
    return add({.layout = layout, .place = Place::prepared});
  }
  /// Brings what lies in a slot into another one, by a step unless they are the same.
  void store(SlotId written, SlotId to);
  /// The next step waits until all slices have done those before it.
  void begin_section();
  /// Whether this section has other steps than those of weight gradients by outputs, of which none
  /// reads what another one writes.
  [[nodiscard]] bool section_has_others() const { return section_has_others_; }
  /// The first candidate that runs on generated code, else the first that oneDNN can do at all.
  /// Throws Error that names the operation if there is none.
  [[nodiscard]] onednn::Kernel choose(const nn::Op& op,
                                      const std::vector<onednn::Found>& candidates) const;
  /// The fastest way, where that is asked for; else the first that runs on generated code. Slices
  /// take the kernel of slice 0: what they put together lies alike. Throws as above. `description`
  /// is what its times are kept by.
  [[nodiscard]] Way choose(const nn::Op& op, const std::string& description, std::vector<Way> ways);
  /// `uses` in the order of the way's arguments.
  void append(std::string name, const Way& way, std::vector<Use> uses);
  void append(std::string name, const onednn::Kernel& kernel, std::vector<Use> uses) {
    append(std::move(name), Way{.kernel = kernel}, std::move(uses));
  }
  /// An argument of a kernel and the value that it is; left out where there is none (-1).
  struct Argument {
    int argument;
    nn::ValueId value = -1;
    SlotId slot = kNoSlot;  ///< where it lies already, in the way's layout, whatever the value is
  };
  /// The same from values, in the layouts that the way works in: a value that was made before is
  /// read, a parameter too; another is made, a parameter's gradient in its place. `for_rows` as
  /// can_be_cut() has it.
  using KernelForRows = std::function<onednn::Found(std::int64_t rows)>;
  void append(const nn::Op& op, const Way& way, const std::vector<Argument>& arguments,
              const KernelForRows& for_rows = {}, std::string_view detail = {});
  /// Says how the step appended last is done for fewer samples: by which kernel, or by which step.
  void can_be_cut(const KernelForRows& kernel);
  void can_be_cut_into(ForRows step);
  /// A loop of our own; timings call it "millrace:<implementation>".
  void append(std::string name, std::string implementation, const std::vector<SlotId>& uses,
              Loop loop, bool is_main_work = false);

 private:
  struct Conversion {
    SlotId from, to;
  };

  void lower(const nn::Op& op);
  /// Gradients of weights by outputs come last: until then no slice waits for the others.
  [[nodiscard]] bool is_put_off(const nn::Op& op) const;
  void append(Step step);
  void find_pooled_relus();
  void find_norm_rectifiers();
  void begin(Wanted wanted);
  /// `absorbed`: an operation whose work the current one does.
  [[nodiscard]] bool may_overwrite(SlotId slot, const nn::Op* absorbed = nullptr) const;
  [[nodiscard]] std::size_t last_use(nn::ValueId id, const nn::Op* absorbed) const;
  void place(nn::ValueId id, SlotId slot);
  SlotId add(Slot slot);
  SlotId view(SlotId slot, const Layout& layout);
  void append_reorder(SlotId from, SlotId to);

  const nn::Graph& graph_;
  Options options_;
  ParameterLayouts& parameters_;
  const dnnl::engine& engine_;
  Lowered lowered_;
  Wanted wanted_ = Wanted::both;
  bool begins_section_ = false, section_has_others_ = false, is_preparing_ = false;
  std::size_t op_ = 0;         // the current operation
  std::size_t choices_ = 0;    // among ways, so far
  std::vector<SlotId> slots_;  // by value
  nn::ValueUses uses_;
  std::vector<std::size_t> last_use_;                                // by value: an operation
  std::vector<bool> left_out_;                                       // by operation
  std::map<std::size_t, PooledRelu> pooled_relus_;                   // by operation
  std::map<std::size_t, nn::ValueUses::Rectifier> norm_rectifiers_;  // likewise
  std::vector<Forward> forward_;                                     // by layer
  std::vector<Conversion> conversions_;  // so that a layout of a value is made once
};

// One a kind of layer, in the files beside this one.
#define MILLRACE_LOWER(Kind) \
  void lower(Lowering& lowering, const nn::Op& op, const nn::Kind& layer);
MILLRACE_LAYER_KINDS(MILLRACE_LOWER)
#undef MILLRACE_LOWER
void lower_loss(Lowering& lowering, const nn::Op& op);
void lower_gradient_sum(Lowering& lowering, const nn::Op& op);
/// A layer that is of none of these kinds.
void lower_foreign(Lowering& lowering, const nn::Op& op);

}  // namespace millrace::cpu

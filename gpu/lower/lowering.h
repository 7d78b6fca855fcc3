#pragma once
// From a graph of operations to a program of device work: gives each value a place and a layout,
// fuses operations that the libraries can do at once, and appends steps. All this happens once, at
// compile(), so that a step only queues what was prepared and can be captured as one CUDA graph.
// The kinds of layers (the files beside this one) are written in these terms.

#include <millrace/gpu/kernels/loss.h>
#include <millrace/gpu/parameters.h>
#include <millrace/gpu/plans.h>
#include <millrace/gpu/program.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/value_uses.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::gpu {

/// How a value is stored: [samples][pixels][stored], of which `channels` count. Features are an
/// image of one pixel.
struct Layout {
  std::int64_t samples = 0, pixels = 1, channels = 0, stored = 0;
  Type type = Type::f32;

  [[nodiscard]] Plane plane() const { return {samples * pixels, channels, stored}; }
  [[nodiscard]] std::int64_t elements() const { return samples * pixels * stored; }
  [[nodiscard]] std::int64_t bytes() const {
    return elements() * static_cast<std::int64_t>(size_of(type));
  }
};

class Lowering {
 public:
  struct Options {
    nn::Precision precision = nn::Precision::fp32;
    std::uint64_t seed = 0;  ///< of dropout
    nn::OptimizerOptions optimizer{};
    nn::GradientOptions gradient{};
    std::int64_t accumulate = 1;      ///< CompileOptions::accumulate
    std::optional<double> average{};  ///< CompileOptions::average
    nn::LossScaleOptions loss_scale{};
  };

  /// All but `options` outlives this, and the plans outlive the program.
  Lowering(const nn::Graph& graph, const Options& options, const ParameterPlaces& parameters,
           Plans& plans);

  /// Throws Error if the device cannot do an operation.
  [[nodiscard]] Lowered run() &&;

  // The graph.
  [[nodiscard]] const nn::Graph& graph() const { return graph_; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] const ParameterPlaces& parameters() const { return parameters_; }
  [[nodiscard]] Type type() const { return nn::storage_of(options_.precision); }
  [[nodiscard]] const nn::ValueUses& uses() const { return uses_; }
  [[nodiscard]] std::string step_name(const nn::Op& op, std::string_view detail = {}) const {
    return nn::step_name(graph_, op, detail);
  }
  /// If only a ReLU reads the value: the ReLU's result; the ReLU is then left out, because the
  /// current step does its work. Otherwise -1.
  [[nodiscard]] nn::ValueId fuse_relu(nn::ValueId id);
  void leave_out(const nn::Op& op) { left_out_[uses_.index_of(op)] = true; }

  // Values and where they lie.
  [[nodiscard]] SlotId slot_of(nn::ValueId id) const;
  [[nodiscard]] Layout layout(nn::ValueId id) const;
  SlotId make(nn::ValueId id);
  /// The same, in the memory of `over` if the current operation is the last to read it.
  SlotId make_in_place(nn::ValueId id, nn::ValueId over);
  SlotId make_floats(nn::ValueId id, std::int64_t count);
  SlotId make_bytes(nn::ValueId id, const Layout& as);  ///< one an element
  /// The value is another name of existing memory.
  void make_view(nn::ValueId id, nn::ValueId of);
  SlotId temporary(std::int64_t bytes);
  SlotId temporary_floats(std::int64_t count) { return temporary(count * 4); }

  // Parameters.
  SlotId working(nn::ValueId id);  ///< of the storage type
  SlotId master(nn::ValueId id);   ///< float32
  SlotId gradient(nn::ValueId id);
  /// A bias gradient that an earlier step has made on the way, so that its own step is left out.
  void mark_made(nn::ValueId gradient);
  [[nodiscard]] bool is_made(nn::ValueId gradient) const;
  /// {dw, db}'s db of the dense or convolution layer whose output has this gradient, if it has not
  /// been made; else -1.
  [[nodiscard]] nn::ValueId bias_gradient_of(nn::ValueId output_gradient) const;

  // ReLUs whose signs a product has kept for the backward pass.
  void keep_signs(nn::ValueId y, SlotId signs, std::int64_t bits);
  struct Signs {
    SlotId slot = kNoSlot;
    std::int64_t bits = 0;  ///< of a row
  };
  [[nodiscard]] Signs signs_of(nn::ValueId y) const;

  // Steps.
  [[nodiscard]] const ConvolutionPlan* find(const Convolution& convolution);
  [[nodiscard]] const MatmulPlan* find(const Matmul& matmul);
  /// Throws Error that names the operation if the device cannot do it.
  [[nodiscard]] const ConvolutionPlan& require(const nn::Op& op, const Convolution& convolution);
  [[nodiscard]] const MatmulPlan& require(const nn::Op& op, const Matmul& matmul);
  void append(std::string name, Bind bind);
  void append(const nn::Op& op, Bind bind) { append(step_name(op), std::move(bind)); }
  /// The steps after a convolution or product without bias and ReLU.
  void append_bias_and_relu(const nn::Op& op, SlotId y, SlotId bias, const Layout& layout,
                            bool relu);
  /// Sums of columns of a gradient into db; with `y`, masks dy into dx on the way.
  void append_column_sums(const nn::Op& op, SlotId dy, SlotId y, SlotId dx, const Layout& layout,
                          nn::ValueId db);
  /// The value as float32, converted if it is not stored so.
  SlotId as_float(const nn::Op& op, nn::ValueId id);
  /// Steps from here on belong to `purposes`.
  void begin(unsigned purposes) { purposes_ = purposes; }
  [[nodiscard]] unsigned purposes() const { return purposes_; }

 private:
  void lower(const nn::Op& op);
  SlotId add(Slot slot);
  [[nodiscard]] bool may_overwrite(SlotId slot) const;
  SlotId parameter(nn::ValueId id, Place place, std::int64_t element_bytes);

  const nn::Graph& graph_;
  Options options_;
  const ParameterPlaces& parameters_;
  Plans& plans_;
  Lowered lowered_;
  nn::ValueUses uses_;
  unsigned purposes_ = 0;
  std::size_t op_ = 0;  // the current operation

  struct ValueState {
    SlotId slot = kNoSlot;
    bool is_made = false;
    Signs signs;
  };
  std::vector<ValueState> values_;
  std::vector<bool> left_out_;  // by operation
};

// One a kind of layer, in the files beside this one.
#define MILLRACE_LOWER(Kind) \
  void lower(Lowering& lowering, const nn::Op& op, const nn::Kind& layer);
MILLRACE_LAYER_KINDS(MILLRACE_LOWER)
#undef MILLRACE_LOWER

/// The pass of a convolution that `op` is, with stored channels and filters, without bias and ReLU,
/// which the lowering adds where there is such a plan. Requires: the layer is a Conv2D.
[[nodiscard]] Convolution convolution_of(const nn::Graph& graph, const nn::Op& op,
                                         nn::Precision precision);

void lower_gradient_sum(Lowering& lowering, const nn::Op& op);

/// Slots of the loss for append_loss_totals(), which comes after the penalty.
struct LossSlots {
  SlotId losses = kNoSlot, right = kNoSlot;
  LossSize size;
  [[nodiscard]] LossSize size_for(const InputMemory& input) const;
};
LossSlots lower_loss(Lowering& lowering, const nn::Op& op);
void append_loss_totals(Lowering& lowering, const LossSlots& loss);
void append_update(Lowering& lowering);
/// Adds a batch's gradients to those of its group, and makes their mean before the update.
void append_group_sum(Lowering& lowering);
void append_group_mean(Lowering& lowering);
/// The term of L2, if there is no update, which would add it.
void append_penalty(Lowering& lowering);

}  // namespace millrace::gpu

#pragma once
// A model as operations on values, forward and backward, for one batch size. Engines lower this
// graph; they never look at how it was derived. Values that depend on no trainable parameter have
// no backward operations.

#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn {

using ValueId = int;

enum class ValueRole {
  input,       ///< float32 [N][H][W][C] or [N][F], normalised
  labels,      ///< int32 [N] or float32 [N][K]
  activation,  ///< made by a forward operation
  gradient,    ///< of an activation, made by a backward operation
  saved,       ///< made by a forward operation for its backward one: pooling indices, dropout
               ///< masks, batch statistics; see SavedShape
  parameter,   ///< in the parameter arena, at Parameter::offset
  parameter_gradient,  ///< in the gradient arena, at the same offset
};

struct Value {
  std::string name;
  Shape shape;  ///< with the batch dimension; for parameters as Parameter::shape
  ValueRole role = ValueRole::activation;
  int parameter = -1;    ///< index into Graph::parameters, for the last two roles
  bool has_rows = true;  ///< the first dimension is the batch; not of parameters, and of what is
                         ///< saved as SavedShape says
};

enum class Pass { forward, backward_data, backward_parameters, gradient_sum };

/// What an operation reads or makes, and which value that is.
struct Argument {
  Operand operand;
  ValueId value = -1;
};

/// A pass of a layer, or the loss. Operands have names (layers/layer.h); which of them a pass has
/// follows from the layer's kind:
///   forward              {x, parameters} -> {y, what is saved}; a batch norm that uses statistics
///                        of the batch also moves its running ones
///   backward_data        {dy, Derivative::data} -> {dx}, and the gradients of parameters where the
///                        kind makes them at once
///   backward_parameters  {dy, Derivative::parameters} -> {gradients of parameters}
///   gradient_sum         {x, input 1} -> {y}: two gradients of the layer's output that meet,
///                        where several layers take it
///   the loss             {x: logits, labels} -> {dx, in training}: loss and right answers go to
///                        the StepResult
/// A layer with several inputs has an x and a dx for each. dx is absent where nothing before the
/// layer trains, what is saved where nobody reads it.
struct Op {
  Pass pass = Pass::forward;
  int layer = -1;  ///< index into Model::layers; -1 for the loss
  std::vector<Argument> inputs{};
  std::vector<Argument> outputs{};

  [[nodiscard]] bool is_loss() const { return layer < 0; }
  /// -1 where it is absent.
  [[nodiscard]] ValueId at(const Operand& operand) const noexcept;
  [[nodiscard]] ValueId x(int which = 0) const noexcept { return at(operand::input(which)); }
  [[nodiscard]] ValueId y() const noexcept { return at(operand::y); }
  [[nodiscard]] ValueId dy() const noexcept { return at(operand::dy); }
  [[nodiscard]] ValueId dx(int which = 0) const noexcept {
    return at(operand::input_gradient(which));
  }
  [[nodiscard]] ValueId parameter(Role role) const noexcept { return at(operand::parameter(role)); }
  [[nodiscard]] ValueId gradient(Role role) const noexcept { return at(operand::gradient(role)); }
  [[nodiscard]] ValueId saved(int which) const noexcept { return at(operand::saved(which)); }
  /// What goes through the layer in this direction: x to y, or dy to dx.
  [[nodiscard]] ValueId source() const noexcept { return pass == Pass::forward ? x() : dy(); }
  [[nodiscard]] ValueId result() const noexcept { return pass == Pass::forward ? y() : dx(); }
};

enum class Mode { training, evaluation };

struct Graph {
  Model model;
  std::vector<Parameter> parameters;
  std::vector<Value> values;
  std::vector<Op> ops;  ///< in the order of execution: forward, loss, backward
  std::int64_t batch = 0;
  Mode mode = Mode::training;
  Loss loss = Loss::softmax_cross_entropy;
  double label_smoothing = 0;       ///< CompileOptions::label_smoothing
  ValueId input = -1, labels = -1;  ///< labels have the shape [N][K] of the larger form
  ValueId logits = -1;              ///< what the loss reads
  ValueId output = -1;  ///< what predict returns: softmax or sigmoid of the logits, where the loss
                        ///< computes it on its own. Its op comes after the loss in evaluation
                        ///< graphs and is absent from training graphs, where output equals logits.

  [[nodiscard]] bool trains() const { return mode == Mode::training; }
  [[nodiscard]] const Value& value(ValueId id) const {
    return values[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] const Layer& layer(const Op& op) const {
    return model.layers[static_cast<std::size_t>(op.layer)];
  }
  /// The forward operation of the same layer.
  [[nodiscard]] const Op& forward_of(const Op& op) const;
  /// The options of an operation's layer, if it is a pass of one of that kind; else null.
  template <class Kind>
  [[nodiscard]] const Kind* kind(const Op& op) const {
    const bool is_pass = !op.is_loss() && op.pass != Pass::gradient_sum;
    return is_pass ? layer(op).kind.get_if<Kind>() : nullptr;
  }
};

/// Derives the graph. A final softmax or sigmoid layer is folded into the loss that it belongs to;
/// dropout of rate 0 is left out. Throws Error when the model is not valid, its output is not
/// one-dimensional, its last layer contradicts the loss, or there is nothing to train.
[[nodiscard]] Graph build_graph(const Model& model, std::int64_t batch, Mode mode, Loss loss,
                                double label_smoothing = 0);

/// The step of a program that makes something and the last one that uses it. What no step touches
/// has last < first.
struct Interval {
  std::int64_t bytes = 0;
  int first = 0;
  int last = 0;
};

/// Places for intervals in one arena such that no two live at a time overlap: best fit in several
/// orders (size, time, both), each again with what came out on top placed first, until nothing is
/// lost. Offsets are multiples of 64; an interval of 0 bytes or last < first gets offset 0.
struct ArenaPlan {
  std::vector<std::int64_t> offsets;
  std::int64_t bytes = 0;
  std::int64_t alive = 0;  ///< the most that live at a time, each of whole 64 bytes
};
[[nodiscard]] ArenaPlan plan_arena(const std::vector<Interval>& intervals);

/// One line an operation.
[[nodiscard]] std::string to_string(const Graph& graph);
/// "conv2 backward data", followed by `detail`: for timings and error messages.
[[nodiscard]] std::string step_name(const Graph& graph, const Op& op, std::string_view detail = {});
[[nodiscard]] const char* to_string(Pass pass) noexcept;

}  // namespace millrace::nn

#pragma once
// A model as operations on values, forward and backward, for one batch size. Engines lower this
// graph; they never look at how it was derived. Backward operations of a frozen prefix do not
// exist.

#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::nn {

using ValueId = int;

enum class ValueRole {
  input,       ///< float32 [N][H][W][C] or [N][F], normalised
  labels,      ///< int32 [N] or float32 [N][K]
  activation,  ///< made by a forward operation
  gradient,    ///< of an activation, made by a backward operation
  saved,       ///< made by a forward operation for its backward one: pooling indices, dropout
               ///< masks, batch statistics. The engine chooses its layout and size.
  parameter,   ///< in the parameter arena, at Parameter::offset
  parameter_gradient,  ///< in the gradient arena, at the same offset
};

struct Value {
  std::string name;
  Shape shape;  ///< with the batch dimension; for parameters as Parameter::shape
  ValueRole role = ValueRole::activation;
  int parameter = -1;  ///< index into Graph::parameters, for the last two roles
};

enum class OpKind {
  dense,
  conv2d,
  max_pool,
  avg_pool,
  global_avg_pool,
  flatten,
  relu,
  sigmoid,
  softmax,
  dropout,
  batch_norm,
  loss
};
enum class Pass { forward, backward_data, backward_parameters };

/// Inputs and outputs, in this order ([b] only when the layer has a bias; dx is absent, -1, when
/// nothing before needs it):
///   dense, conv2d    forward {x, w, [b]} -> {y}
///                    backward_data {dy, w} -> {dx}
///                    backward_parameters {x, dy} -> {dw, [db]}
///   max_pool         forward {x} -> {y, saved}              backward_data {dy, saved} -> {dx}
///                    (saved is -1 where no backward operation reads it; so is dropout's)
///   avg_pool, global_avg_pool, flatten   forward {x} -> {y} backward_data {dy} -> {dx}
///   relu, sigmoid, softmax               forward {x} -> {y} backward_data {dy, y} -> {dx}
///   dropout          forward {x} -> {y, saved}              backward_data {dy, saved} -> {dx}
///                    (absent from the graph outside training)
///   batch_norm       training: forward {x, gamma, beta, running_mean, running_variance}
///                    -> {y, saved mean [C], saved variance [C]}; it also updates the running two
///                    backward_data {dy, x, gamma, saved mean, saved variance}
///                    -> {dx, dgamma, dbeta}
///                    frozen or outside training: forward without the saved outputs, running
///                    statistics used; frozen backward_data {dy, gamma, running_variance} -> {dx}
///   loss             forward {logits, labels} -> {dlogits}: loss and correct predictions go to the
///                    StepResult; dlogits is -1 outside training
struct Op {
  OpKind kind{};
  Pass pass = Pass::forward;
  int layer = -1;  ///< index into Model::layers; -1 for the loss
  std::vector<ValueId> inputs{};
  std::vector<ValueId> outputs{};
};

enum class Mode { training, evaluation };

struct Graph {
  Model model;
  std::vector<Parameter> parameters;
  std::vector<Value> values;
  std::vector<Op> ops;  ///< in the order of execution: forward, loss, backward
  std::int64_t batch = 0;
  Loss loss = Loss::softmax_cross_entropy;
  double label_smoothing = 0;       ///< CompileOptions::label_smoothing; engines write it
  ValueId input = -1, labels = -1;  ///< labels have the shape [N][K] of the larger form
  ValueId logits = -1;              ///< what the loss reads
  ValueId output = -1;  ///< what predict returns: softmax or sigmoid of the logits, if the model
                        ///< ends in one. Its op comes after the loss in evaluation graphs and
                        ///< is absent from training graphs, where output equals logits.
};

/// Derives the graph. A final softmax or sigmoid layer is folded into the loss; dropout of rate 0
/// is left out. Throws Error when the model is not valid, its output is not one-dimensional, its
/// last layer contradicts the loss, or there is nothing to train.
[[nodiscard]] Graph build_graph(const Model& model, std::int64_t batch, Mode mode, Loss loss);

/// The step (index into Graph::ops) that makes a value and the last one that uses it; inputs are
/// made at -1. Values that no operation touches have last < first.
struct Interval {
  std::int64_t bytes = 0;
  int first = 0;
  int last = 0;
};
/// One interval a value; bytes are elements * 4, and 0 for parameters and their gradients, which
/// live in arenas of their own.
[[nodiscard]] std::vector<Interval> lifetimes(const Graph& graph);

/// Places for intervals in one arena such that no two live at a time overlap (greedy by size, best
/// fit). Offsets are multiples of 64; an interval of 0 bytes or last < first gets offset 0.
struct ArenaPlan {
  std::vector<std::int64_t> offsets;
  std::int64_t bytes = 0;
};
[[nodiscard]] ArenaPlan plan_arena(const std::vector<Interval>& intervals);

/// One line an operation, for `inspect` and error messages.
[[nodiscard]] std::string to_string(const Graph& graph);
[[nodiscard]] const char* to_string(OpKind kind) noexcept;
[[nodiscard]] const char* to_string(Pass pass) noexcept;

}  // namespace millrace::nn

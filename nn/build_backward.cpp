#include <millrace/nn/build_backward.h>

#include <millrace/core/error.h>

#include <cstddef>
#include <utility>

namespace millrace::nn {
namespace {

/// Walks the forward operations from the last to the first: when one is reached, all that take its
/// output have given their part of the output's gradient.
class Backward {
 public:
  Backward(Graph& graph, ValueId dlogits)
      : graph_(graph), gradients_(graph.values.size(), -1), makers_(graph.values.size(), -1) {
    const std::vector<bool> is_fed = layers_fed_by_training(graph);
    for (const Op& op : graph.ops) {
      if (op.is_loss()) break;
      ++forward_count_;
      if (is_fed[static_cast<std::size_t>(op.layer)]) makers_[index(op.y())] = op.layer;
    }
    if (is_wanted(graph.logits)) gradients_[index(graph.logits)] = dlogits;
  }

  void run() {
    for (std::size_t i = forward_count_; i-- > 0;) {
      const Op forward = graph_.ops[i];
      if (is_wanted(forward.y())) append(forward, gradients_[index(forward.y())]);
    }
  }

 private:
  static std::size_t index(ValueId id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] bool is_wanted(ValueId id) const { return makers_[index(id)] >= 0; }

  void append(const Op& forward, ValueId dy) {
    const Layer& layer = graph_.layer(forward);
    const Derivative derivative = layer.kind->derivative(layer.trainable);
    if (derivative.passes_on) {
      for (const Argument& x : inputs_of(forward)) contribute(x.value, dy);
      return;
    }
    // Parameters first: once their gradient is there, the memory of `x` may be free for dx.
    if (layer.trainable && !derivative.parameters.empty()) {
      Op op = backward(forward, dy, Pass::backward_parameters, derivative.parameters);
      append_parameter_gradients(op, forward);
      graph_.ops.push_back(std::move(op));
    }
    Op op = backward(forward, dy, Pass::backward_data, derivative.data);
    std::vector<Argument> made;  // the value whose gradient it is, by the gradient's operand
    for (const Argument& x : inputs_of(forward)) {
      if (!is_wanted(x.value)) continue;
      made.push_back(x);
      const Value& input = graph_.value(x.value);
      op.outputs.push_back(
          {operand::input_gradient(x.operand.which),
           add_value(graph_, {.name = "d " + input.name,
                              .shape = input.shape,
                              .role = ValueRole::gradient})});
    }
    const std::vector<Argument> gradients = op.outputs;
    if (derivative.at_once) append_parameter_gradients(op, forward);
    if (op.outputs.empty()) return;
    graph_.ops.push_back(std::move(op));
    for (std::size_t i = 0; i < made.size(); ++i) contribute(made[i].value, gradients[i].value);
  }

  /// What the operation takes, without parameters.
  static std::vector<Argument> inputs_of(const Op& forward) {
    std::vector<Argument> result;
    for (const Argument& read : forward.inputs) {
      if (read.operand.of == Operand::Of::x) result.push_back(read);
    }
    return result;
  }

  /// A part of a value's gradient. Parts are added as they come, so that no more than the sum and
  /// one of them are alive.
  void contribute(ValueId value, ValueId part) {
    if (!is_wanted(value)) return;
    ValueId& sum = gradients_[index(value)];
    if (sum < 0) {
      sum = part;
      return;
    }
    const Value& summed = graph_.value(value);
    const ValueId both = add_value(
        graph_, {.name = "d " + summed.name, .shape = summed.shape, .role = ValueRole::gradient});
    graph_.ops.push_back({.pass = Pass::gradient_sum,
                          .layer = makers_[index(value)],
                          .inputs = {{operand::input(0), sum}, {operand::input(1), part}},
                          .outputs = {{operand::y, both}}});
    sum = both;
  }

  Op backward(const Op& forward, ValueId dy, Pass pass, const std::vector<Operand>& reads) const {
    Op op{.pass = pass, .layer = forward.layer, .inputs = {{operand::dy, dy}}};
    for (const Operand& operand : reads) {
      op.inputs.push_back({operand, forward.at(operand)});
      MILLRACE_CHECK(op.inputs.back().value >= 0, "the backward pass of ",
                     kind_name(graph_.layer(forward).kind), " reads what its forward pass has not");
    }
    return op;
  }
  void append_parameter_gradients(Op& op, const Op& forward) {
    for (const Argument& argument : forward.inputs) {
      const Role role{argument.operand.which};
      if (argument.operand.of != Operand::Of::parameter || is_statistic(role)) continue;
      const Value& value = graph_.value(argument.value);
      op.outputs.push_back(
          {operand::gradient(role), add_value(graph_, {.name = "d " + value.name,
                                                       .shape = value.shape,
                                                       .role = ValueRole::parameter_gradient,
                                                       .parameter = value.parameter})});
    }
  }

  Graph& graph_;
  std::vector<ValueId> gradients_;  // by value of the forward pass: the sum so far, -1 at first
  std::vector<int> makers_;         // likewise: the layer, if the gradient is wanted; else -1
  std::size_t forward_count_ = 0;
};

}  // namespace

ValueId add_value(Graph& graph, Value value) {
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

std::vector<bool> layers_fed_by_training(const Graph& graph) {
  std::vector<bool> is_fed(graph.model.layers.size(), false);
  for (const Parameter& parameter : graph.parameters) {
    if (parameter.trainable) is_fed[static_cast<std::size_t>(parameter.layer)] = true;
  }
  const std::vector<std::vector<int>> inputs = input_layers(graph.model);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (const int input : inputs[i]) {
      if (input >= 0 && is_fed[static_cast<std::size_t>(input)]) is_fed[i] = true;
    }
  }
  return is_fed;
}

void append_backward(Graph& graph) {
  Backward(graph, graph.ops.back().dx()).run();
}

}  // namespace millrace::nn

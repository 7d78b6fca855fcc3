#include <millrace/core/error.h>
#include <millrace/nn/backward.h>

#include <algorithm>
#include <utility>

namespace millrace::nn::detail {
namespace {

/// Walks the forward operations from the last to the first, carrying the gradient of the output of
/// the one at hand. Models are chains, so one gradient is alive at a time.
class Backward {
 public:
  Backward(Graph& graph, ValueId dlogits)
      : graph_(graph), gradient_(dlogits), first_(first_trainable_layer(graph)) {}

  void run() {
    const auto loss = std::find_if(graph_.ops.begin(), graph_.ops.end(),
                                   [](const Op& op) { return op.is_loss(); });
    for (std::ptrdiff_t i = loss - graph_.ops.begin() - 1; i >= 0; --i) {
      const Op forward = graph_.ops[static_cast<std::size_t>(i)];
      if (forward.layer >= first_) append(forward);
    }
  }

 private:
  void append(const Op& forward) {
    const Layer& layer = graph_.layer(forward);
    const Derivative derivative = layer.kind->derivative(layer.trainable);
    // Parameters first: once their gradient is there, the memory of `x` may be free for dx.
    if (layer.trainable && !derivative.parameters.empty()) {
      Op op = backward(forward, Pass::backward_parameters, derivative.parameters);
      append_parameter_gradients(op, forward);
      graph_.ops.push_back(std::move(op));
    }
    const ValueId dx = input_gradient(forward);
    if (dx < 0 && !derivative.at_once) return;
    Op op = backward(forward, Pass::backward_data, derivative.data);
    if (dx >= 0) op.outputs = {{operand::dx, dx}};
    if (derivative.at_once) append_parameter_gradients(op, forward);
    graph_.ops.push_back(std::move(op));
    gradient_ = dx;
  }

  Op backward(const Op& forward, Pass pass, const std::vector<Operand>& reads) const {
    Op op{.pass = pass, .layer = forward.layer, .inputs = {{operand::dy, gradient_}}};
    for (const Operand& operand : reads) op.inputs.push_back({operand, forward.at(operand)});
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
  /// A value for the gradient of the operation's input, or -1 where nothing before it trains.
  ValueId input_gradient(const Op& forward) {
    if (forward.layer <= first_) return -1;
    const Value& input = graph_.value(forward.x());
    return add_value(
        graph_, {.name = "d " + input.name, .shape = input.shape, .role = ValueRole::gradient});
  }
  Graph& graph_;
  ValueId gradient_;
  int first_;
};

}  // namespace

ValueId add_value(Graph& graph, Value value) {
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

int first_trainable_layer(const Graph& graph) {
  // Trainable parameters come first, in the order of the layers.
  const bool any = !graph.parameters.empty() && graph.parameters.front().trainable;
  return any ? graph.parameters.front().layer : static_cast<int>(graph.model.layers.size());
}

void append_backward(Graph& graph, ValueId dlogits) {
  Backward(graph, dlogits).run();
}

}  // namespace millrace::nn::detail

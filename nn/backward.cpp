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
                                   [](const Op& op) { return op.kind == OpKind::loss; });
    for (std::ptrdiff_t i = loss - graph_.ops.begin() - 1; i >= 0; --i) {
      const Op forward = graph_.ops[static_cast<std::size_t>(i)];
      if (forward.layer >= first_) append(forward);
    }
  }

 private:
  void append(const Op& forward) {
    switch (forward.kind) {
      case OpKind::dense:
      case OpKind::conv2d: return kernel(forward);
      case OpKind::max_pool:
      case OpKind::dropout: return data(forward, {gradient_, forward.outputs[1]});
      case OpKind::avg_pool:
      case OpKind::global_avg_pool:
      case OpKind::flatten: return data(forward, {gradient_});
      case OpKind::relu:
      case OpKind::sigmoid:
      case OpKind::softmax: return data(forward, {gradient_, forward.outputs[0]});
      case OpKind::batch_norm: return batch_norm(forward);
      case OpKind::loss: break;
    }
    MILLRACE_CHECK(false, "no backward operation for ", to_string(forward.kind));
  }

  /// Parameters first: once their gradient is there, the memory of `x` may be free for dx.
  void kernel(const Op& forward) {
    if (layer(forward).trainable) {
      Op op = backward(forward, Pass::backward_parameters);
      op.inputs = {forward.inputs[0], gradient_};
      for (std::size_t i = 1; i < forward.inputs.size(); ++i) {
        op.outputs.push_back(parameter_gradient(forward.inputs[i]));
      }
      graph_.ops.push_back(std::move(op));
    }
    data(forward, {gradient_, forward.inputs[1]});
  }

  void batch_norm(const Op& forward) {
    const std::vector<ValueId>& in = forward.inputs;  // x, gamma, beta, running mean and variance
    if (!layer(forward).trainable) return data(forward, {gradient_, in[1], in[4]});
    Op op = backward(forward, Pass::backward_data);
    op.inputs = {gradient_, in[0], in[1], forward.outputs[1], forward.outputs[2]};
    const ValueId dx = input_gradient(forward);
    op.outputs = {dx, parameter_gradient(in[1]), parameter_gradient(in[2])};
    graph_.ops.push_back(std::move(op));
    gradient_ = dx;
  }

  void data(const Op& forward, std::vector<ValueId> inputs) {
    const ValueId dx = input_gradient(forward);
    if (dx < 0) return;
    Op op = backward(forward, Pass::backward_data);
    op.inputs = std::move(inputs);
    op.outputs = {dx};
    graph_.ops.push_back(std::move(op));
    gradient_ = dx;
  }

  [[nodiscard]] const Layer& layer(const Op& forward) const {
    return graph_.model.layers[static_cast<std::size_t>(forward.layer)];
  }
  static Op backward(const Op& forward, Pass pass) {
    return {.kind = forward.kind, .pass = pass, .layer = forward.layer};
  }
  /// A value for the gradient of the operation's input, or -1 where nothing before it trains.
  ValueId input_gradient(const Op& forward) {
    if (forward.layer <= first_) return -1;
    const Value& input = graph_.values[static_cast<std::size_t>(forward.inputs[0])];
    return add_value(
        graph_, {.name = "d " + input.name, .shape = input.shape, .role = ValueRole::gradient});
  }
  ValueId parameter_gradient(ValueId parameter) {
    const Value& value = graph_.values[static_cast<std::size_t>(parameter)];
    return add_value(graph_, {.name = "d " + value.name,
                              .shape = value.shape,
                              .role = ValueRole::parameter_gradient,
                              .parameter = value.parameter});
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

#include <millrace/nn/graph.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/softmax.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace millrace::nn {
namespace {

/// Adds a value and returns its id.
ValueId add_value(Graph& graph, Value value) {
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

/// The first layer that has something to train; model.layers.size() if none has. Layers before it
/// get no backward operation.
int first_trainable_layer(const Graph& graph) {
  // Trainable parameters come first, in the order of the layers.
  const bool any = !graph.parameters.empty() && graph.parameters.front().trainable;
  return any ? graph.parameters.front().layer : static_cast<int>(graph.model.layers.size());
}

/// Walks the layers once and appends what each becomes.
class Forward {
 public:
  Forward(const Model& model, std::int64_t batch, Mode mode, Loss loss) {
    validate(model);
    graph_.model = model;
    graph_.parameters = parameters(model);
    graph_.batch = batch;
    graph_.mode = mode;
    graph_.loss = loss;
    shapes_ = infer_shapes(model);
    check_loss();
    add_inputs();
    first_trainable_ = first_trainable_layer(graph_);
    if (training() && first_trainable_ == layers()) {
      throw Error(concat("the model '", model.name, "' has nothing to train: no layer with ",
                         "parameters is trainable"));
    }
  }

  Graph run() && {
    const int folded = layers() - (ends_in_activation() ? 1 : 0);
    ValueId current = graph_.input;
    for (int layer = 0; layer < folded; ++layer) {
      if (!at(layer).kind->is_identity(training())) current = append(layer, current);
    }
    graph_.logits = current;
    graph_.output = current;
    append_loss();
    if (!training() && folded < layers()) graph_.output = append(folded, current);
    return std::move(graph_);
  }

 private:
  [[nodiscard]] bool training() const { return graph_.trains(); }
  [[nodiscard]] int layers() const { return static_cast<int>(graph_.model.layers.size()); }
  [[nodiscard]] const Layer& at(int layer) const {
    return graph_.model.layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] bool ends_in_activation() const {
    const LayerKind& last = graph_.model.layers.back().kind;
    return last.is<Softmax>() || last.is<Sigmoid>();
  }

  void check_loss() const {
    const Shape& output = shapes_.back().output;
    if (output.rank() != 1) {
      throw Error(concat("the model '", graph_.model.name, "' ends in ", output,
                         "; a loss needs [classes]: add flatten or global_avg_pool and dense"));
    }
    const LayerKind& last = graph_.model.layers.back().kind;
    const LossInfo& loss = loss_info(graph_.loss);
    const bool belongs =
        loss.activation != nullptr && std::string_view(kind_name(last)) == loss.activation;
    if (ends_in_activation() && !belongs) {
      throw Error(concat("the model '", graph_.model.name, "' ends in ", kind_name(last),
                         ", but the loss is ", loss.name));
    }
  }

  void add_inputs() {
    const Shape input = graph_.model.input.with_front(graph_.batch);
    graph_.input = add("input", input, ValueRole::input);
    const Shape labels = shapes_.back().output.with_front(graph_.batch);
    graph_.labels = add("labels", labels, ValueRole::labels);
    for (std::size_t p = 0; p < graph_.parameters.size(); ++p) {
      const Parameter& parameter = graph_.parameters[p];
      add_value(graph_, {.name = parameter.name,
                         .shape = parameter.shape,
                         .role = ValueRole::parameter,
                         .parameter = static_cast<int>(p)});
    }
  }

  ValueId add(std::string name, Shape shape, ValueRole role) {
    return add_value(graph_, {.name = std::move(name), .shape = shape, .role = role});
  }

  ValueId append(int layer, ValueId input) {
    const LayerShape& shape = shapes_[static_cast<std::size_t>(layer)];
    const std::string& name = at(layer).name;
    const ValueId output = add(name, shape.output.with_front(graph_.batch), ValueRole::activation);
    Op op{.layer = layer, .inputs = {{operand::x, input}}, .outputs = {{operand::y, output}}};
    append_parameters(op);
    for (int i = 0; i < static_cast<int>(shape.saved.size()); ++i) {
      if (!saves(layer, i)) continue;
      const SavedShape& saved = shape.saved[static_cast<std::size_t>(i)];
      const Shape all = saved.is_of_sample ? saved.shape.with_front(graph_.batch) : saved.shape;
      op.outputs.push_back(
          {operand::saved(i), add(concat(name, '.', saved.suffix), all, ValueRole::saved)});
    }
    graph_.ops.push_back(std::move(op));
    return output;
  }

  void append_parameters(Op& op) const {
    for (std::size_t v = 0; v < graph_.values.size(); ++v) {
      const int p = graph_.values[v].parameter;
      if (p < 0) continue;
      const Parameter& parameter = graph_.parameters[static_cast<std::size_t>(p)];
      if (parameter.layer != op.layer) continue;
      op.inputs.push_back({operand::parameter(parameter.role), static_cast<ValueId>(v)});
    }
  }

  /// Whether a backward operation of the layer exists and reads what forward saves as the i-th.
  [[nodiscard]] bool saves(int layer, int i) const {
    if (!training() || layer < first_trainable_) return false;
    const Derivative read = at(layer).kind->derivative(at(layer).trainable);
    const auto has = [i](const std::vector<Operand>& operands) {
      return std::ranges::find(operands, operand::saved(i)) != operands.end();
    };
    return has(read.data) || has(read.parameters);
  }

  void append_loss() {
    Op op{.inputs = {{operand::x, graph_.logits}, {operand::labels, graph_.labels}}};
    if (training()) {
      const Value& logits = graph_.value(graph_.logits);
      op.outputs = {{operand::dx, add("d " + logits.name, logits.shape, ValueRole::gradient)}};
    }
    graph_.ops.push_back(std::move(op));
  }

  Graph graph_;
  std::vector<LayerShape> shapes_;
  int first_trainable_ = 0;
};

/// Appends the operations that carry the gradient of the loss back to every trainable parameter,
/// and no further. Walks the forward operations from the last to the first, with the gradient of
/// the output of the one at hand. Models are chains, so one gradient is alive at a time.
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

Graph build_graph(const Model& model, std::int64_t batch, Mode mode, Loss loss,
                  double label_smoothing) {
  MILLRACE_CHECK(batch > 0, "a graph is built for at least one sample, not ", batch);
  Graph graph = Forward(model, batch, mode, loss).run();
  graph.label_smoothing = label_smoothing;
  (void)smoothing_of(loss, graph.value(graph.logits).shape[1], label_smoothing);  // throws
  if (mode == Mode::training) Backward(graph, graph.ops.back().dx()).run();
  return graph;
}

}  // namespace millrace::nn

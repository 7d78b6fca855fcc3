#include <millrace/nn/graph.h>

#include <millrace/core/error.h>
#include <millrace/nn/build_backward.h>

#include <algorithm>
#include <utility>

namespace millrace::nn {
namespace {

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
    inputs_ = input_layers(model);
    check_loss();
    add_inputs();
    is_fed_ = layers_fed_by_training(graph_);
    if (training() && !is_fed_.back()) {
      throw Error(concat("the model '", model.name, "' has nothing to train: no layer with ",
                         "parameters is trainable"));
    }
  }

  Graph run() && {
    const int folded = layers() - (folds_end(graph_.loss, graph_.model) ? 1 : 0);
    for (int layer = 0; layer < folded; ++layer) append(layer);
    graph_.logits = folded < layers() ? inputs_of(folded).front() : outputs_.back();
    graph_.output = graph_.logits;
    append_loss();
    if (!training() && folded < layers()) {
      append(folded);
      graph_.output = outputs_.back();
    }
    return std::move(graph_);
  }

 private:
  [[nodiscard]] bool training() const { return graph_.trains(); }
  [[nodiscard]] int layers() const { return static_cast<int>(graph_.model.layers.size()); }
  [[nodiscard]] const Layer& at(int layer) const {
    return graph_.model.layers[static_cast<std::size_t>(layer)];
  }
  void check_loss() const {
    const Shape& output = shapes_.back().output;
    if (output.rank() != 1) {
      throw Error(concat("the model '", graph_.model.name, "' ends in ", output,
                         "; a loss needs [classes]: add flatten or global_avg_pool and dense"));
    }
    if (fits_end(graph_.loss, graph_.model)) return;
    throw Error(concat("the model '", graph_.model.name, "' ends in ",
                       kind_name(graph_.model.layers.back().kind), ", but the loss is ",
                       loss_info(graph_.loss).name, "; those that fit are ",
                       fitting_losses(graph_.model)));
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

  /// The values that a layer takes.
  [[nodiscard]] std::vector<ValueId> inputs_of(int layer) const {
    std::vector<ValueId> result;
    for (const int input : inputs_[static_cast<std::size_t>(layer)]) {
      result.push_back(input < 0 ? graph_.input : outputs_[static_cast<std::size_t>(input)]);
    }
    return result;
  }

  /// Layers come in their order.
  void append(int layer) {
    const std::vector<ValueId> inputs = inputs_of(layer);
    // A frozen layer is what it is outside training: dropout would make its features noise.
    if (at(layer).kind->is_identity(training() && at(layer).trainable)) {
      outputs_.push_back(inputs.front());
      return;
    }
    const LayerShape& shape = shapes_[static_cast<std::size_t>(layer)];
    const std::string& name = at(layer).name;
    const ValueId output = add(name, shape.output.with_front(graph_.batch), ValueRole::activation);
    Op op{.layer = layer, .outputs = {{operand::y, output}}};
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      op.inputs.push_back({operand::input(i), inputs[static_cast<std::size_t>(i)]});
    }
    append_parameters(op);
    for (int i = 0; i < static_cast<int>(shape.saved.size()); ++i) {
      if (!saves(layer, i)) continue;
      const SavedShape& saved = shape.saved[static_cast<std::size_t>(i)];
      const Shape all = saved.is_of_sample ? saved.shape.with_front(graph_.batch) : saved.shape;
      const ValueId id = add(concat(name, '.', saved.suffix), all, ValueRole::saved);
      graph_.values[static_cast<std::size_t>(id)].has_rows = saved.is_of_sample;
      op.outputs.push_back({operand::saved(i), id});
    }
    graph_.ops.push_back(std::move(op));
    outputs_.push_back(output);
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
    if (!training() || !is_fed_[static_cast<std::size_t>(layer)]) return false;
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
  std::vector<std::vector<int>> inputs_;
  std::vector<bool> is_fed_;
  std::vector<ValueId> outputs_;  // by layer, as far as they are there
};

}  // namespace

Graph build_graph(const Model& model, std::int64_t batch, Mode mode, Loss loss,
                  double label_smoothing) {
  MILLRACE_CHECK(batch > 0, "a graph is built for at least one sample, not ", batch);
  Graph graph = Forward(model, batch, mode, loss).run();
  graph.label_smoothing = label_smoothing;
  (void)smoothing_of(loss, graph.value(graph.logits).shape[1], label_smoothing);  // throws
  if (mode == Mode::training) append_backward(graph);
  return graph;
}

}  // namespace millrace::nn

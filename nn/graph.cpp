#include <millrace/nn/graph.h>

#include <millrace/core/error.h>
#include <millrace/nn/backward.h>

#include <array>
#include <string_view>
#include <utility>

namespace millrace::nn {
namespace {

// In the order of LayerKind's alternatives.
constexpr std::array<OpKind, std::variant_size_v<LayerKind>> kOpKinds{
    OpKind::dense,           OpKind::conv2d,  OpKind::max_pool,  OpKind::avg_pool,
    OpKind::global_avg_pool, OpKind::flatten, OpKind::relu,      OpKind::sigmoid,
    OpKind::softmax,         OpKind::dropout, OpKind::batch_norm};

/// Walks the layers once and appends what each becomes.
class Forward {
 public:
  Forward(const Model& model, std::int64_t batch, Mode mode, Loss loss) : mode_(mode) {
    validate(model);
    graph_.model = model;
    graph_.parameters = parameters(model);
    graph_.batch = batch;
    graph_.loss = loss;
    summaries_ = summarize(model);
    check_loss();
    add_inputs();
    first_trainable_ = detail::first_trainable_layer(graph_);
    if (training() && first_trainable_ == layers()) {
      throw Error(concat("the model '", model.name, "' has nothing to train: no layer with ",
                         "parameters is trainable"));
    }
  }

  Graph run() && {
    const int folded = layers() - (ends_in_activation() ? 1 : 0);
    ValueId current = graph_.input;
    for (int layer = 0; layer < folded; ++layer) {
      if (!is_left_out(layer)) current = append(layer, current);
    }
    graph_.logits = current;
    graph_.output = current;
    append_loss();
    if (!training() && folded < layers()) graph_.output = append(folded, current);
    return std::move(graph_);
  }

 private:
  [[nodiscard]] bool training() const { return mode_ == Mode::training; }
  [[nodiscard]] int layers() const { return static_cast<int>(graph_.model.layers.size()); }
  [[nodiscard]] const Layer& at(int layer) const {
    return graph_.model.layers[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] bool ends_in_activation() const {
    const LayerKind& last = graph_.model.layers.back().kind;
    return std::holds_alternative<Softmax>(last) || std::holds_alternative<Sigmoid>(last);
  }
  [[nodiscard]] bool is_left_out(int layer) const {
    const auto* dropout = std::get_if<Dropout>(&at(layer).kind);
    return dropout != nullptr && (!training() || dropout->rate == 0);
  }
  /// Whether a backward operation of the layer exists and reads what forward saves.
  [[nodiscard]] bool saves(int layer) const { return training() && layer >= first_trainable_; }

  void check_loss() const {
    const Shape& output = summaries_.back().output;
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
    const Shape labels = summaries_.back().output.with_front(graph_.batch);
    graph_.labels = add("labels", labels, ValueRole::labels);
    for (std::size_t p = 0; p < graph_.parameters.size(); ++p) {
      const Parameter& parameter = graph_.parameters[p];
      detail::add_value(graph_, {.name = parameter.name,
                                 .shape = parameter.shape,
                                 .role = ValueRole::parameter,
                                 .parameter = static_cast<int>(p)});
    }
  }

  ValueId add(std::string name, Shape shape, ValueRole role) {
    return detail::add_value(graph_, {.name = std::move(name), .shape = shape, .role = role});
  }

  ValueId append(int layer, ValueId input) {
    const Layer& from = at(layer);
    const Shape shape = summaries_[static_cast<std::size_t>(layer)].output.with_front(graph_.batch);
    const ValueId output = add(from.name, shape, ValueRole::activation);
    Op op{.kind = kOpKinds[from.kind.index()],
          .layer = layer,
          .inputs = {input},
          .outputs = {output}};
    append_parameters(op);
    append_saved(op, shape);
    graph_.ops.push_back(std::move(op));
    return output;
  }

  /// Parameters of a layer are inputs in the order of their roles.
  void append_parameters(Op& op) const {
    for (const Role role : {Role::kernel, Role::bias, Role::gamma, Role::beta, Role::running_mean,
                            Role::running_variance}) {
      for (std::size_t v = 0; v < graph_.values.size(); ++v) {
        const int p = graph_.values[v].parameter;
        if (p < 0) continue;
        const Parameter& parameter = graph_.parameters[static_cast<std::size_t>(p)];
        if (parameter.layer == op.layer && parameter.role == role) {
          op.inputs.push_back(static_cast<ValueId>(v));
        }
      }
    }
  }

  void append_saved(Op& op, const Shape& shape) {
    const std::string name = at(op.layer).name;
    if (op.kind == OpKind::max_pool || op.kind == OpKind::dropout) {
      const char* what = op.kind == OpKind::dropout ? ".mask" : ".indices";
      op.outputs.push_back(saves(op.layer) ? add(name + what, shape, ValueRole::saved) : -1);
    }
    if (op.kind == OpKind::batch_norm && training() && at(op.layer).trainable) {
      op.outputs.push_back(add(name + ".mean", {shape[-1]}, ValueRole::saved));
      op.outputs.push_back(add(name + ".variance", {shape[-1]}, ValueRole::saved));
    }
  }

  void append_loss() {
    Op op{.kind = OpKind::loss, .inputs = {graph_.logits, graph_.labels}, .outputs = {-1}};
    if (training()) {
      const Value& logits = graph_.values[static_cast<std::size_t>(graph_.logits)];
      op.outputs = {add("d " + logits.name, logits.shape, ValueRole::gradient)};
    }
    graph_.ops.push_back(std::move(op));
  }

  Graph graph_;
  std::vector<LayerSummary> summaries_;
  Mode mode_;
  int first_trainable_ = 0;
};

}  // namespace

Graph build_graph(const Model& model, std::int64_t batch, Mode mode, Loss loss) {
  MILLRACE_CHECK(batch > 0, "a graph is built for at least one sample, not ", batch);
  Graph graph = Forward(model, batch, mode, loss).run();
  if (mode == Mode::training) detail::append_backward(graph, graph.ops.back().outputs[0]);
  return graph;
}

const char* to_string(OpKind kind) noexcept {
  switch (kind) {
    case OpKind::dense: return "dense";
    case OpKind::conv2d: return "conv2d";
    case OpKind::max_pool: return "max_pool";
    case OpKind::avg_pool: return "avg_pool";
    case OpKind::global_avg_pool: return "global_avg_pool";
    case OpKind::flatten: return "flatten";
    case OpKind::relu: return "relu";
    case OpKind::sigmoid: return "sigmoid";
    case OpKind::softmax: return "softmax";
    case OpKind::dropout: return "dropout";
    case OpKind::batch_norm: return "batch_norm";
    case OpKind::loss: return "loss";
  }
  return "?";
}

const char* to_string(Pass pass) noexcept {
  switch (pass) {
    case Pass::forward: return "forward";
    case Pass::backward_data: return "backward_data";
    case Pass::backward_parameters: return "backward_parameters";
  }
  return "?";
}

std::string to_string(const Graph& graph) {
  const auto names = [&](const std::vector<ValueId>& ids) {
    std::string text;
    for (const ValueId id : ids) {
      if (!text.empty()) text += ", ";
      if (id < 0) {
        text += "-";
        continue;
      }
      const Value& value = graph.values[static_cast<std::size_t>(id)];
      text += concat(value.name, " ", value.shape);
    }
    return text;
  };
  std::string text;
  for (const Op& op : graph.ops) {
    text += concat(to_string(op.kind), " ", to_string(op.pass), " {", names(op.inputs), "} -> {",
                   names(op.outputs), "}\n");
  }
  return text;
}

}  // namespace millrace::nn

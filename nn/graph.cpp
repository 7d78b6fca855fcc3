#include <millrace/nn/graph.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::nn {

ValueId Op::at(const Operand& operand) const noexcept {
  for (const std::vector<Argument>* list : {&inputs, &outputs}) {
    for (const Argument& argument : *list) {
      if (argument.operand == operand) return argument.value;
    }
  }
  return -1;
}

const Op& Graph::forward_of(const Op& op) const {
  const auto forward = std::ranges::find_if(
      ops, [&](const Op& other) { return other.layer == op.layer && other.pass == Pass::forward; });
  MILLRACE_CHECK(!op.is_loss() && forward != ops.end(), "the loss has no forward operation");
  return *forward;
}

const char* to_string(Pass pass) noexcept {
  switch (pass) {
    case Pass::forward: return "forward";
    case Pass::backward_data: return "backward_data";
    case Pass::backward_parameters: return "backward_parameters";
    case Pass::gradient_sum: return "gradient_sum";
  }
  return "?";
}

std::string to_string(const Graph& graph) {
  const auto names = [&](const std::vector<Argument>& arguments) {
    std::string text;
    for (const Argument& argument : arguments) {
      const Value& value = graph.value(argument.value);
      text += concat(text.empty() ? "" : ", ", value.name, " ", value.shape);
    }
    return text;
  };
  std::string text;
  for (const Op& op : graph.ops) {
    text += concat(op.is_loss() ? "loss" : kind_name(graph.layer(op).kind), " ", to_string(op.pass),
                   " {", names(op.inputs), "} -> {", names(op.outputs), "}\n");
  }
  return text;
}

std::string step_name(const Graph& graph, const Op& op, std::string_view detail) {
  const std::string_view of = op.is_loss() ? "loss" : std::string_view(graph.layer(op).name);
  std::string pass = to_string(op.pass);
  std::ranges::replace(pass, '_', ' ');
  return concat(of, " ", pass, detail.empty() ? "" : " ", detail);
}

}  // namespace millrace::nn

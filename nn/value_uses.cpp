#include <millrace/nn/value_uses.h>

#include <millrace/nn/layers/relu.h>
#include <millrace/nn/layers/relu6.h>

#include <limits>

namespace millrace::nn {

ValueUses::ValueUses(const Graph& graph) : graph_(graph), uses_(graph.values.size()) {
  for (const Op& op : graph.ops) {
    for (const Argument& made : op.outputs) uses_[static_cast<std::size_t>(made.value)].maker = &op;
    for (const Argument& read : op.inputs) {
      Uses& uses = uses_[static_cast<std::size_t>(read.value)];
      uses.reader = &op;
      ++uses.readers;
    }
  }
}

std::size_t ValueUses::last_use(ValueId id) const {
  return at(id).reader == nullptr ? 0 : index_of(*at(id).reader);
}

const Op* ValueUses::only_relu(ValueId id, Pass pass) const {
  const Op* reader = only_reader(id);
  const bool is_relu =
      reader != nullptr && reader->pass == pass && graph_.kind<Relu>(*reader) != nullptr;
  return is_relu ? reader : nullptr;
}

ValueUses::Rectifier ValueUses::as_rectifier(const Op* op) const {
  if (op == nullptr) return {};
  if (graph_.kind<Relu>(*op) != nullptr) return {op, std::numeric_limits<float>::infinity()};
  if (graph_.kind<Relu6>(*op) != nullptr) return {op, 6.0F};
  return {};
}

ValueUses::Rectifier ValueUses::rectifier_of(ValueId id) const {
  const Op* reader = only_reader(id);
  const bool is_forward = reader != nullptr && reader->pass == Pass::forward;
  return is_forward ? as_rectifier(reader) : Rectifier{};
}

const Op* ValueUses::relu_of(ValueId id) const {
  return only_relu(id, Pass::forward);
}

const Op* ValueUses::relu_gradient_of(ValueId id) const {
  return only_relu(id, Pass::backward_data);
}

}  // namespace millrace::nn

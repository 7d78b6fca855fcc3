#pragma once
// Reading ONNX files back, for tests of those who write them. Needs the messages of io.

#include <millrace/core/error.h>
#include <millrace/io/files.h>

#include <onnx.pb.h>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace millrace::test {

inline onnx::ModelProto read_onnx(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw Error(path.string() + ": not an ONNX file");
  }
  return model;
}

/// Null if there is none.
inline const onnx::NodeProto* find_node(const onnx::ModelProto& model, const std::string& name) {
  const auto& nodes = model.graph().node();
  const auto found = std::ranges::find_if(nodes, [&](const auto& n) { return n.name() == name; });
  return found == nodes.end() ? nullptr : &*found;
}

inline const onnx::AttributeProto* find_attribute(const onnx::NodeProto& node,
                                                  const std::string& name) {
  const auto& all = node.attribute();
  const auto found = std::ranges::find_if(all, [&](const auto& a) { return a.name() == name; });
  return found == all.end() ? nullptr : &*found;
}

inline std::vector<std::int64_t> ints_of(const onnx::NodeProto& node, const std::string& name) {
  const auto* const attribute = find_attribute(node, name);
  if (attribute == nullptr) throw Error(node.name() + " has no attribute " + name);
  return {attribute->ints().begin(), attribute->ints().end()};
}

inline const onnx::TensorProto* find_initializer(const onnx::ModelProto& model,
                                                 const std::string& name) {
  const auto& all = model.graph().initializer();
  const auto found = std::ranges::find_if(all, [&](const auto& t) { return t.name() == name; });
  return found == all.end() ? nullptr : &*found;
}

template <class T>
std::vector<T> values_of(const onnx::TensorProto& tensor) {
  std::vector<T> values(tensor.raw_data().size() / sizeof(T));
  std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(T));
  return values;
}

inline std::vector<std::int64_t> dims_of(const onnx::TensorProto& tensor) {
  return {tensor.dims().begin(), tensor.dims().end()};
}

/// "Conv Relu Flatten": the operators in their order.
inline std::string operators_of(const onnx::ModelProto& model) {
  std::string text;
  for (const auto& node : model.graph().node()) {
    text.append(text.empty() ? "" : " ").append(node.op_type());
  }
  return text;
}

/// What is wrong with the names of a graph, or empty: each value is made once and before it is
/// read, nodes have names of their own, numbers are as many as their shape says.
inline std::string names_problem(const onnx::ModelProto& model) {
  std::set<std::string> values, nodes;
  const auto& graph = model.graph();
  for (const auto& input : graph.input()) values.insert(input.name());
  for (const auto& tensor : graph.initializer()) {
    if (!values.insert(tensor.name()).second) return "two values " + tensor.name();
    std::size_t bytes = tensor.data_type() == 7 ? 8 : 4;
    for (const std::int64_t extent : tensor.dims()) bytes *= static_cast<std::size_t>(extent);
    if (bytes != tensor.raw_data().size()) return "the size of " + tensor.name();
  }
  for (const auto& node : graph.node()) {
    if (node.name().empty() || !nodes.insert(node.name()).second) return "node " + node.name();
    for (const std::string& input : node.input()) {
      if (!input.empty() && !values.contains(input)) return node.name() + " reads " + input;
    }
    for (const std::string& output : node.output()) {
      if (!values.insert(output).second) return "two values " + output;
    }
  }
  for (const auto& output : graph.output()) {
    if (!values.contains(output.name())) return "no output " + output.name();
  }
  return {};
}

}  // namespace millrace::test

#pragma once
// Which operations make and read the values of a graph: engines need that to fuse operations and
// reuse memory.

#include <millrace/nn/graph.h>

#include <cstddef>
#include <vector>

namespace millrace::nn {

/// Thread-safe once it is made. Ids are those of the graph, and not -1.
class ValueUses {
 public:
  /// The graph outlives this.
  explicit ValueUses(const Graph& graph);

  /// The operation that makes the value; null for inputs and parameters.
  [[nodiscard]] const Op* maker(ValueId id) const { return at(id).maker; }
  /// The only operation that reads it; null if there is none, or more than one.
  [[nodiscard]] const Op* only_reader(ValueId id) const {
    return at(id).readers == 1 ? at(id).reader : nullptr;
  }
  /// The last operation that reads it, as an index into Graph::ops; 0 if there is none.
  [[nodiscard]] std::size_t last_use(ValueId id) const;
  /// If a ReLU alone reads the value, forward: that operation. The operation that makes the value
  /// can do its work at once and make op->y() instead. Else null.
  [[nodiscard]] const Op* relu_of(ValueId id) const;
  /// The same for a ReLU or a ReLU6: both are 0 below 0, and their ceiling is that of the second.
  struct Rectifier {
    const Op* op = nullptr;  ///< null: there is none
    float ceiling = 0;       ///< infinity, or 6
  };
  [[nodiscard]] Rectifier rectifier_of(ValueId id) const;
  /// What the operation is, forward or backward, if it is one of these.
  [[nodiscard]] Rectifier as_rectifier(const Op* op) const;
  /// If a ReLU's backward pass alone reads the value: that operation. Else null.
  [[nodiscard]] const Op* relu_gradient_of(ValueId id) const;
  [[nodiscard]] std::size_t index_of(const Op& op) const {
    return static_cast<std::size_t>(&op - graph_.ops.data());
  }

 private:
  struct Uses {
    const Op* maker = nullptr;
    const Op* reader = nullptr;  // the last one
    int readers = 0;
  };
  [[nodiscard]] const Op* only_relu(ValueId id, Pass pass) const;
  [[nodiscard]] const Uses& at(ValueId id) const { return uses_[static_cast<std::size_t>(id)]; }

  const Graph& graph_;
  std::vector<Uses> uses_;
};

}  // namespace millrace::nn

#pragma once
// What pruning has done so far, for logs, metrics.csv and TensorBoard.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// A pruned tensor, by its mask and the last threshold.
struct PrunedTensor {
  std::string name;
  std::int64_t elements = 0, pruned = 0;
  float threshold = 0;  ///< the smallest magnitude that is kept; 0 before the first mask
  [[nodiscard]] double sparsity() const noexcept;
};

/// The state of pruning after a training step.
struct PruneSummary {
  std::uint64_t step = 0;
  std::vector<PrunedTensor> tensors;
  [[nodiscard]] double sparsity() const noexcept;  ///< of all pruned tensors together
};

/// By name: "sparsity", then for each tensor "<name>/sparsity" and "<name>/threshold".
[[nodiscard]] std::vector<std::pair<std::string, double>> named_values(const PruneSummary& summary);

}  // namespace millrace

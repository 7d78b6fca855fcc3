#include <millrace/training/prune_summary.h>

namespace millrace {

double PrunedTensor::sparsity() const noexcept {
  return elements > 0 ? static_cast<double>(pruned) / static_cast<double>(elements) : 0;
}

double PruneSummary::sparsity() const noexcept {
  PrunedTensor sum;
  for (const PrunedTensor& tensor : tensors) {
    sum.elements += tensor.elements;
    sum.pruned += tensor.pruned;
  }
  return sum.sparsity();
}

std::vector<std::pair<std::string, double>> named_values(const PruneSummary& summary) {
  std::vector<std::pair<std::string, double>> values{{"sparsity", summary.sparsity()}};
  for (const PrunedTensor& tensor : summary.tensors) {
    values.emplace_back(tensor.name + "/sparsity", tensor.sparsity());
    values.emplace_back(tensor.name + "/threshold", tensor.threshold);
  }
  return values;
}

}  // namespace millrace

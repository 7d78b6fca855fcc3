#include <millrace/nn/probabilities.h>

#include <millrace/nn/loss.h>
#include <millrace/nn/model.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace millrace::nn {

OutputKind output_kind(const Model& model) {
  const Loss loss = default_loss(model);
  const char* const activation = loss_info(loss).activation;
  if (activation != nullptr &&
      std::string_view(kind_name(model.layers.back().kind)) == activation) {
    return OutputKind::probabilities;
  }
  return loss == Loss::sigmoid_cross_entropy ? OutputKind::sigmoid_logit
                                             : OutputKind::softmax_logits;
}

SoftmaxRow::SoftmaxRow(std::span<const float> logits)
    : largest(static_cast<double>(*std::max_element(logits.begin(), logits.end()))), sum(0) {
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
}

double SoftmaxRow::operator()(float logit) const {
  return std::exp(static_cast<double>(logit) - largest) / sum;
}

double sigmoid(double logit) {
  return logit >= 0 ? 1 / (1 + std::exp(-logit)) : std::exp(logit) / (1 + std::exp(logit));
}

std::vector<double> class_probabilities(OutputKind kind, std::span<const float> row) {
  std::vector<double> p(row.begin(), row.end());
  if (kind == OutputKind::softmax_logits) {
    const SoftmaxRow softmax(row);
    std::transform(row.begin(), row.end(), p.begin(), softmax);
  }
  if (kind == OutputKind::sigmoid_logit) p[0] = sigmoid(p[0]);
  return p.size() == 1 ? std::vector<double>{1 - p[0], p[0]} : p;
}

}  // namespace millrace::nn

#pragma once
// From a model's outputs to probabilities of its classes: a model that ends in neither softmax nor
// sigmoid gives logits. Measuring, predicting and monitoring use the probabilities.

#include <cstddef>
#include <span>
#include <vector>

namespace millrace::nn {

struct Model;

/// What a row of outputs holds.
enum class OutputKind {
  probabilities,   ///< as they are; one output: of class 1 of two
  softmax_logits,  ///< one a class
  sigmoid_logit,   ///< one, of class 1 of two
};

/// What the outputs of a model are: the other end of default_loss().
[[nodiscard]] OutputKind output_kind(const Model& model);

/// What a row of logits has in common: softmax is exp(x - largest) / sum, in double. Rows that
/// differ by a constant alone get equal probabilities.
struct SoftmaxRow {
  explicit SoftmaxRow(std::span<const float> logits);
  [[nodiscard]] double operator()(float logit) const;
  double largest, sum;
};

/// 1 / (1 + exp(-logit)), without an exponential that overflows.
[[nodiscard]] double sigmoid(double logit);

/// The probabilities of all classes, two where there is one output. The row is not empty.
[[nodiscard]] std::vector<double> class_probabilities(OutputKind kind, std::span<const float> row);

}  // namespace millrace::nn

#pragma once
// The steps of a model's preprocessing that look at whole samples: centring and standardising each
// sample, and ZCA whitening. After augmentation, on all threads; the cast then only copies.

#include <millrace/nn/model.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <cstddef>
#include <span>
#include <vector>

namespace millrace {

/// A node: Ticket -> the same Ticket. Turns the valid float32 rows of images, 0..255, into the
/// input of the model in place, by all of the preprocessing (see nn::Preprocessing for the order,
/// which is that of ImageDataGenerator.standardize). A row's result depends on that row alone.
/// scratch() is what one copy holds.
class Standardize {
 public:
  /// Throws Error as nn::check_preprocessing() does, and if `whiten` has no matrix.
  Standardize(nn::Preprocessing preprocessing, const Shape& sample);
  static constexpr bool writes_in_place = true;
  Ticket operator()(const Ticket& ticket);
  [[nodiscard]] Bytes scratch() const noexcept;

 private:
  void standardize(std::span<float> row) const;
  void whiten(std::span<float* const> rows);

  nn::Preprocessing preprocessing_;
  std::size_t features_;
  std::vector<float> product_;  // [kRows][features_] with whitening
};

/// Charges a pipeline with the whitening matrix, which all copies of the node share; with nothing
/// where there is none.
void charge_whitening(Pipeline& pipeline, const nn::Preprocessing& preprocessing);

}  // namespace millrace

#pragma once
// Which layer of a Keras file is which of a model: by names, where the model's layers have those of
// the file or are known by Keras's names (nn/zoo), else by place, the n-th convolution for the n-th
// convolution.

#include <millrace/io/weight_file.h>
#include <millrace/nn/model.h>

#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>

namespace millrace {

struct KerasPairs {
  std::map<int, std::size_t> layers;  ///< of the model; of the file
  bool are_by_name = false;
  /// Classes of layers without weights that the file may have, whatever its order: the network's
  /// own additions and the like (keras_counterparts.h).
  std::set<std::string> expected;
};

/// `wanted`: parameters, in the order of their layers. `ignored`: layers of the file. Throws Error
/// naming the file: the names differ, and layers of parallel branches have the same shapes, so that
/// their order in the file does not show which is which; or the network is known to have another
/// form in Keras than the model's.
[[nodiscard]] KerasPairs pair_keras_layers(const WeightFile& file, const nn::Model& model,
                                           std::span<const nn::Parameter> wanted,
                                           const std::set<std::size_t>& ignored);

/// Whether the model is of the zoo, in the form that Keras has of it and others have not.
[[nodiscard]] bool is_keras_form(const nn::Model& model);

}  // namespace millrace

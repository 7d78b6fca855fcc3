#pragma once
// Weights of a file that have no counterpart in a model: without them the model would give other
// outputs, without any sign.

#include <millrace/io/weight_file.h>
#include <millrace/training/tensor_names.h>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// What was used of a file, by indices into its tensors() and layers().
struct UsedWeights {
  std::set<std::size_t> tensors;                 ///< that the model has, of its shape or another
  std::set<std::size_t> layers, ignored_layers;  ///< of a Keras file
  std::set<std::string> expected;  ///< classes of layers without weights that are no difference
  bool is_whole = false;  ///< all of the model is from the file, which so should hold no more
};

/// Throws UsageError where a layer or tensor that is to be left out is not in the file.
void check_ignored(const WeightFile& file, const TensorNames& names,
                   const std::vector<std::string>& ignored);

/// Throws Error that says how to leave out what is left over. `ignored`: layers and tensors that
/// are left out all the same. `model`: its name.
void check_left_over(const WeightFile& file, const TensorNames& names, const UsedWeights& used,
                     const std::set<std::string_view>& ignored, const std::string& model);

}  // namespace millrace

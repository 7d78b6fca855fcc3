#pragma once
// Weights of classes in the loss, for data with unequal classes.

#include <millrace/nodes/directory_reader.h>

#include <string_view>
#include <vector>

namespace millrace {

/// For ReaderOptions::class_weights, by label, from words:
///   balanced          n / (classes * n of the class), over the training samples (scikit-learn's)
///   cats=2,dogs=0.5   by the names of the classes; classes that are not named weigh 1 (Keras's)
/// Empty for empty words. Throws UsageError: a class that does not exist or comes twice, a weight
/// that is not a number of 0 or more, all weights 0.
[[nodiscard]] std::vector<float> class_weights(std::string_view words, const SampleSet& training);

}  // namespace millrace

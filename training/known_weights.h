#pragma once
// Published files of weights: what scripts/fetch-weights fetches, under the names of --weights, and
// what is known of such a file wherever it lies, by its hash: the network, the preprocessing that
// it was trained with, and the names of its classes. The table is known_weights.txt.

#include <millrace/nn/model.h>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

struct KnownWeights {
  std::string name;      ///< "resnet18", for --weights
  std::string model;     ///< the network, of the zoo: "resnet18"
  std::string hash;      ///< SHA-256 in hexadecimal, or its first digits; "md5:..." is not known
  double mebibytes = 0;  ///< to three digits
  std::string pixels;    ///< "torch", "caffe": preprocessing_named()'s; or "lite"
  std::string filter;    ///< of resizing, after a slash: "caffe/nearest"; empty: not known
  bool is_of_imagenet = false;  ///< its outputs are ImageNet's 1,000 classes
  std::string maker, licence;   ///< "torchvision", "BSD-3-Clause"
  std::string file;             ///< its name in the user's cache
};

/// All rows, in the table's order. Thread-safe.
[[nodiscard]] std::span<const KnownWeights> known_weights();

/// nullptr if there is none of this name.
[[nodiscard]] const KnownWeights* find_known_weights(std::string_view name);

/// The row of a file: it has its size and its hash. nullptr if there is none. Reads the whole file
/// if a size fits. Throws Error if it cannot be read.
[[nodiscard]] const KnownWeights* known_file(const std::filesystem::path& path);

/// How pixels become input, with the filter where it is known; else the default one.
[[nodiscard]] nn::Preprocessing preprocessing_of(const KnownWeights& weights);

/// The names of ImageNet's 1,000 classes in the order of its labels, as torchvision has them.
[[nodiscard]] std::vector<std::string> imagenet_classes();

}  // namespace millrace

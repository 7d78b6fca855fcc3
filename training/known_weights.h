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
  std::string hash;      ///< SHA-256 in hexadecimal, or its first digits; "md5:..." is for fetching
  double mebibytes = 0;  ///< to three digits after the point; to one beside an MD5
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

/// The row that a file is: it has the row's size and SHA-256. nullptr if it is none, as all of an
/// MD5 are, or is not there. Reads the whole file if a size fits, but only once while it stays as
/// it is. Throws Error if it cannot be read. Thread-safe.
[[nodiscard]] const KnownWeights* known_file(const std::filesystem::path& path,
                                             std::span<const KnownWeights> rows = known_weights());

/// Throws Error naming the file, and what to do, unless it has the row's SHA-256; of a row with an
/// MD5 any may be.
void check_known_file(const std::filesystem::path& path, const KnownWeights& row);

/// How pixels become input, with the filter where it is known; else the default one.
[[nodiscard]] nn::Preprocessing preprocessing_of(const KnownWeights& weights);

/// The names of ImageNet's 1,000 classes in the order of its labels, as torchvision has them.
[[nodiscard]] std::vector<std::string> imagenet_classes();

}  // namespace millrace

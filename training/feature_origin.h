#pragma once
// What the features of a run depend on, for a file of them to be recognised.

#include <millrace/io/safetensors.h>
#include <millrace/nn/model.h>
#include <millrace/training/feed.h>

#include <span>

namespace millrace {

/// Texts that differ, as good as surely, when features of the same shape would be others: of the
/// samples, all of which are read whole; the layers and their preprocessing; their weights; and the
/// options of reading and of augmentation. Keys are words for a message: "data", "layers",
/// "weights", "options".
[[nodiscard]] Metadata origin_of_features(const FeedOptions& options, const nn::Model& front,
                                          std::span<const float> weights);

}  // namespace millrace

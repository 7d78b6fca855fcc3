#pragma once
// What `train` and `prune` report of a pruned model: its tensors, and what pruning saves on disk.

#include <millrace/core/bytes.h>
#include <millrace/nn/model.h>
#include <millrace/training/epoch_record.h>
#include <millrace/training/prune_summary.h>

#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>

namespace millrace::apps {

/// The size of a saved model, and what gzip makes of it.
struct ModelSize {
  Bytes plain, gzipped;
};
[[nodiscard]] ModelSize model_size(const std::filesystem::path& model_file);

/// The same of a model that is in memory: it is written into `folder` for the moment.
[[nodiscard]] ModelSize model_size(const nn::Model& model, std::span<const float> parameters,
                                   const std::filesystem::path& folder);

/// The summary with the zeros that the file really has: those of the best epoch, where that one was
/// restored at the end. Thresholds are those of the last masks. Throws Error.
[[nodiscard]] PruneSummary as_saved(PruneSummary summary, const std::filesystem::path& model_file);

/// A table: tensor, weights, zeros (PrunedTensor::pruned), sparsity, threshold.
void print_pruned(std::ostream& out, const PruneSummary& summary);

/// "size        dense 1,063,892 bytes (985,321 gzipped), pruned 1,063,892 (287,112): 3.43 times
/// smaller gzipped".
[[nodiscard]] std::string size_line(const ModelSize& dense, const ModelSize& pruned);

/// "dense1.weight 0.8000 below 0.0213, ...": sparsity and threshold by tensor, of an epoch. Empty
/// where nothing is pruned.
[[nodiscard]] std::string pruning_line(const EpochRecord& record);

/// {"dense": {"bytes": ..., "gzip_bytes": ...}, "pruned": ..., "sparsity": ..., "tensors": [...]};
/// a tensor's "pruned" is how many of its weights are zero.
[[nodiscard]] std::string to_json(const ModelSize& dense, const ModelSize& pruned,
                                  const PruneSummary& summary);

}  // namespace millrace::apps

#pragma once
// The source of a training pipeline: decides which samples make up which batch of which epoch,
// stamps a free batch with them and emits tickets. It reads no pixels.

#include <millrace/io/dataset.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

/// Samples of a data set by their numbers.
struct SampleSet {
  std::shared_ptr<const Dataset> dataset;
  std::vector<std::uint32_t> samples;

  /// All samples of the data set.
  [[nodiscard]] static SampleSet all(std::shared_ptr<const Dataset> dataset);
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(samples.size());
  }
};

/// How many samples a ticket names: enough that a hop does not show beside its work.
[[nodiscard]] std::uint32_t ticket_samples(const Shape& sample);

struct ReaderOptions {
  std::int64_t batch = 32;
  std::uint32_t epochs = 1;
  /// 0: an epoch is one pass, and its last batch may be short. Otherwise this many full batches
  /// from an endless stream that is shuffled again at each pass.
  std::uint32_t steps_per_epoch = 0;
  bool drop_last = false;  ///< a pass: leave out its last batch of training where that is short
  std::uint32_t limit_batches = 0;  ///< at most this many batches a phase; 0: all
  std::uint64_t seed = 0;
  bool shuffle = true;  ///< of training samples, at each pass
  /// Of samples in shards, shuffled: from how many samples the next one is chosen, while shards
  /// follow each other in random order (shard_order.h). 0: all are mixed, as where there are none.
  std::uint32_t shuffle_buffer = 0;
  /// Of several processes that train together: of the order of each pass this one takes the
  /// positions rank, rank + world, ... Random numbers are of positions before that, so they do
  /// not depend on `world`. Ranks may differ by a sample, and so by a batch. Validation samples
  /// are read by all.
  std::uint32_t rank = 0, world = 1;
  std::uint32_t ticket_samples = 16;  ///< most samples of a ticket; see ticket_samples()
  ReaderPosition start{};             ///< the first batch: BatchTag::next of the last one before it
  /// Set from outside: no further batch is needed (early stopping). May be empty.
  std::shared_ptr<const std::atomic<bool>> finished{};
  /// The weight in the loss of training samples of each class, by label; empty: all 1.
  std::vector<float> class_weights{};
  bool with_labels = true;  ///< false: labels are -1
  /// This many training batches, from the first of an epoch on, make one update, and the last group
  /// of an epoch is what is left: nn::CompileOptions::accumulate.
  std::uint32_t accumulate = 1;
};

/// Batches of training and then of validation, epoch by epoch. Batches that have targets get those
/// of the data set, or where it has classes the class of each sample as a row of zeros and a one;
/// labels of a data set with targets are -1. Same seed and options: the same
/// batches. A callable for Pipeline::source over a pool of HostBatch whose capacity is at least
/// `batch`.
///
/// Requires: training holds a sample. `validation` may be empty. A start that the data set and the
/// options do not have is refused (Error).
class DirectoryReader {
 public:
  DirectoryReader(SampleSet training, SampleSet validation, ReaderOptions options);
  /// The same with shared sets; neither may be null.
  DirectoryReader(std::shared_ptr<const SampleSet> training,
                  std::shared_ptr<const SampleSet> validation, ReaderOptions options);

  bool operator()(Lease<HostBatch> batch, Emit<Ticket>& emit);
  /// The same without a pipeline: stamps the next batch; false where there is none.
  bool next(HostBatch& batch);

  /// Whose batches these are; the second may be empty.
  [[nodiscard]] const SampleSet& training() const noexcept { return *training_; }
  [[nodiscard]] const SampleSet& validation() const noexcept { return *validation_; }
  [[nodiscard]] std::int64_t batch() const noexcept { return options_.batch; }
  [[nodiscard]] std::uint32_t training_steps() const noexcept { return training_steps_; }
  [[nodiscard]] std::uint32_t validation_steps() const noexcept { return validation_steps_; }
  /// The sizes of batches that are not full, for programs to be compiled ahead.
  [[nodiscard]] std::vector<std::int64_t> short_batches() const;
  /// Memory of the sample numbers (the reader's and its maker's) and the order of the pass.
  [[nodiscard]] Bytes bytes() const;

 private:
  void stamp_training(HostBatch& batch);
  void stamp_validation(HostBatch& batch);
  void stamp(HostBatch& batch, std::int64_t row, const SampleSet& set, std::uint32_t position);
  void order_pass();
  void advance();
  /// How many samples of a pass this rank takes.
  [[nodiscard]] std::uint32_t samples_of_rank() const noexcept;

  std::shared_ptr<const SampleSet> training_, validation_;  // shared by the copies of a source
  ReaderOptions options_;
  std::uint32_t training_steps_ = 0, validation_steps_ = 0;

  ReaderPosition next_;               // where the next batch begins, in this rank's samples
  ReaderPosition group_;              // where the group began that the last batch belongs to
  std::vector<std::uint32_t> order_;  // of the pass: positions to numbers in training_->samples
  std::uint32_t ordered_pass_ = 0;    // the pass that order_ is of, once it is not empty
};

}  // namespace millrace

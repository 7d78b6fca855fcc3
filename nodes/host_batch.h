#pragma once
// A batch of samples in host memory: the slot that bounds a training pipeline. The source stamps
// it, decoders write straight into it, and the batcher closes the holes that bad files left.

#include <millrace/core/buffer.h>
#include <millrace/core/shape.h>
#include <millrace/pipeline/pool.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace millrace {

/// What a batch is for. Validation batches are neither shuffled nor augmented nor learned from.
enum class Phase : std::uint8_t { training, validation };

/// Where a batch of a run begins: what a reader needs to resume there.
struct ReaderPosition {
  Phase phase = Phase::training;
  std::uint32_t epoch = 0;
  std::uint32_t step = 0;                ///< in the phase of the epoch
  std::uint32_t pass = 0, position = 0;  ///< of the next training sample

  friend bool operator==(const ReaderPosition&, const ReaderPosition&) = default;
};

/// Which batch of a run this is.
struct BatchTag {
  Phase phase = Phase::training;
  std::uint32_t epoch = 0;  ///< from 0
  std::uint32_t step = 0;   ///< in the phase of the epoch, from 0
  /// In the phase of the epoch; kUnknownSteps before the last batch of a phase that ends where its
  /// stream does.
  std::uint32_t steps = 0;
  /// Steps in this batch, `step` being the first. With samples that are left out, the last of
  /// several may have none.
  std::uint32_t count = 1;
  std::int64_t rows = 0;    ///< samples of each step but the last; 0: all are one step
  bool ends_phase = false;  ///< the last batch of its phase
  bool ends_epoch = false;  ///< the last batch of its epoch
  bool ends_run = false;    ///< the last batch of all
  /// Where the next batch begins; within a group of batches (ReaderOptions::accumulate) where
  /// the group began, since a run cannot resume within one.
  ReaderPosition next{};

  static constexpr std::uint32_t kUnknownSteps = std::numeric_limits<std::uint32_t>::max();
};

/// Samples [size][H][W][C] (uint8 pixels) or [size][F] (float32 features) and what belongs to them.
/// Rows [0, size) are in use. Between the source and the batcher a row may be a hole (valid 0);
/// after the batcher all rows in use are valid.
///
/// A source stamps `size` and, where batches are trained on, `tag`; where tickets are gathered by
/// the Batcher, it or a later stage stamps `valid` of each row in use too. What is left out is
/// an Error that names it, in the stage that needs it: a slot that comes back forgets its stamps.
///
/// Thread safety: tickets name disjoint rows, so stages may work on one batch concurrently.
struct HostBatch {
  HostBatch(Shape sample_shape, DType type, std::int64_t capacity, Buffer memory,
            std::int64_t width_of_targets = 0);

  Shape sample;  ///< {H, W, C} or {F}
  DType dtype;   ///< u8 or f32
  Buffer pixels;
  std::vector<std::uint32_t> index;   ///< [capacity] which sample of the data set; or, in a batch
                                      ///< without pixels, which resident one
  std::vector<std::int32_t> labels;   ///< [capacity]; -1 where there are none
  std::int64_t target_width = 0;      ///< K, or 0: labels alone say what samples are
  std::vector<float> targets;         ///< [capacity][K] what the model should give; NaN: unknown
  std::vector<float> weights;         ///< [capacity] of the sample in the loss
  std::vector<std::uint8_t> valid;    ///< [capacity] 1: a sample, 0: a hole; kNotStamped at first
  std::vector<std::uint32_t> passes;  ///< [capacity] the pass through the data, and
  std::vector<std::uint64_t> positions;  ///< [capacity] the position in it, for random numbers
  std::int64_t size = 0;                 ///< rows in use
  std::int64_t holes = 0;                ///< rows that the batcher closed
  BatchTag tag;

  static constexpr std::uint8_t kNotStamped = 2;
  /// For its pool: the next source must stamp the batch again.
  void recycle() noexcept;
  [[nodiscard]] std::int64_t capacity() const noexcept {
    return static_cast<std::int64_t>(labels.size());
  }
  /// One sample. Requires 0 <= i < capacity().
  [[nodiscard]] TensorView row(std::int64_t i);
  /// All rows in use.
  [[nodiscard]] ConstTensorView rows() const;
  /// Copies all of row `from` but the sample itself. Requires: as row().
  void move_stamps(std::int64_t from, std::int64_t to);
  /// The target of one sample, empty if K is 0. Requires 0 <= i < capacity().
  [[nodiscard]] std::span<float> target(std::int64_t i);
};

/// A run of samples of a batch, long enough that a hop does not show beside its work.
struct Ticket {
  Lease<HostBatch> batch;
  std::uint32_t first = 0, count = 0;  ///< rows [first, first + count)
};

/// Makes the slots of a pool of batches.
struct HostBatchFactory {
  Shape sample;
  DType dtype = DType::u8;
  std::int64_t capacity = 32;
  /// Where the pixels lie: an engine's host_buffer, or ordinary memory.
  std::function<Buffer(Bytes)> allocate = [](Bytes size) { return Buffer(size); };
  std::int64_t target_width = 0;

  [[nodiscard]] HostBatch operator()() const;
  [[nodiscard]] Bytes bytes() const;  ///< of one slot
};

}  // namespace millrace

#pragma once
// Which batch of a run comes next where only its stream knows when a phase ends, and what is
// stamped on it: what Streamed knows without the type of its samples.

#include <millrace/nodes/host_batch.h>
#include <millrace/nodes/streamed_options.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace millrace::detail {

/// Which stream to begin, and after how many of its samples.
struct StreamStart {
  Phase phase = Phase::training;
  std::uint32_t pass = 0;
  std::uint64_t begin = 0;
};

/// Throws Error: the stream ends before where it was to begin, after so many samples if they were
/// counted.
[[noreturn]] void refuse_end(const StreamStart& start, std::optional<std::uint64_t> samples);

class StreamCursor {
 public:
  /// Throws UsageError, and Error for a start that cannot be.
  explicit StreamCursor(StreamedOptions options);

  [[nodiscard]] const StreamedOptions& options() const noexcept { return options_; }
  /// Where the next batch begins; from begin() to end(), where that batch stands by now.
  [[nodiscard]] const ReaderPosition& next() const noexcept { return next_; }
  /// No further batch is needed.
  [[nodiscard]] bool is_over() const noexcept;
  /// Whether the phase under way has as many batches as the options say, whatever its stream does.
  [[nodiscard]] bool counts() const noexcept {
    return next_.phase == Phase::training && options_.steps_per_epoch > 0;
  }
  /// Samples of a full batch, from begin() on.
  [[nodiscard]] std::int64_t rows() const noexcept { return full_; }
  [[nodiscard]] std::size_t ticket_samples(const HostBatch& batch) const;
  /// The stream under way, from the next sample on, and the validation of the epoch from its first.
  [[nodiscard]] StreamStart stream() const noexcept;
  [[nodiscard]] StreamStart validation() const noexcept;
  /// How many samples are needed for another batch after this one.
  [[nodiscard]] std::size_t ahead() const noexcept;
  /// `capacity` of a slot, 0 if unknown: then UsageError unless the options know it.
  [[nodiscard]] Bytes payload(int slots, std::int64_t capacity) const;

  /// A batch without rows. Throws UsageError if it is too small.
  void begin(HostBatch& batch);
  /// Stamps another row of it.
  void add_row(HostBatch& batch);
  /// Its stream has ended: another pass begins, or (false) the phase ends with it. Throws Error for
  /// a pass without samples.
  bool begin_pass();
  /// Throws Error if the samples of a batch hold more than was charged.
  void check_payload(std::uint64_t held) const;
  /// Throws Error for a phase that has no such batch.
  void check_filled(const HostBatch& batch) const;
  /// Whether the phase has no batch after this one, whatever its stream holds.
  [[nodiscard]] bool is_last_by_count() const noexcept;
  /// Stamps the tag and goes to the next batch: of the phase, or (unless `has_more`) of the
  /// validation after it, or of the next epoch.
  void end(HostBatch& batch, bool has_more, bool has_validation);

 private:
  [[nodiscard]] std::uint32_t most_steps() const noexcept;  // of the phase under way; 0: unknown
  void end_phase(bool has_validation);

  StreamedOptions options_;
  ReaderPosition next_;
  ReaderPosition group_;   // where the group began that the batch belongs to
  std::int64_t full_ = 0;  // samples of a full batch
};

}  // namespace millrace::detail

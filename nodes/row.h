#pragma once
// A row of a batch, as EachRow hands it to the function that fills it.

#include <millrace/core/bytes.h>
#include <millrace/core/random.h>
#include <millrace/core/shape.h>
#include <millrace/nodes/host_batch.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// What the numbers of HostBatch::targets are.
enum class TargetKind : std::uint8_t {
  classes,  ///< of each class its share: a label alone is zeros and a one
  numbers,  ///< any, or NaN for one that is not known; a label says nothing of them
  labels,   ///< the same, but between 0 and 1
};

/// Of EachRow (each_row.h).
struct EachRowOptions {
  std::uint64_t seed = 0;  ///< of Row::random()
  Bytes scratch{};         ///< what a copy of the function holds, a decoder's say: it is charged
  /// What each label becomes that the function gives, a permutation: 0, 1, 2, ... where it stays
  /// what it is. Then a sample needs a label below its size, and targets of classes are permuted
  /// alike. Empty: labels are not looked at.
  std::vector<std::int32_t> labels{};
  TargetKind targets = TargetKind::classes;
  /// The function writes pixels of u8 into batches of f32 too, where they become 0..255.
  bool writes_pixels = false;
};

namespace detail {
/// What a function has said of its row.
struct RowNotes {
  bool has_label = false, has_target = false;
  bool spreads = false;  ///< pixels of u8 are to become f32
};
/// A number for Context::begin_part(), and the sample of that number in words.
[[nodiscard]] std::uint64_t row_part(const HostBatch& batch, std::uint32_t row) noexcept;
[[nodiscard]] std::string row_name(std::uint64_t part);
}  // namespace detail

/// Where one sample of a batch goes. Copies are the same row; for use within the call.
class Row {
 public:
  /// All are kept by the caller.
  Row(HostBatch& batch, std::uint32_t row, std::uint64_t seed, detail::RowNotes& notes) noexcept
      : batch_(&batch), notes_(&notes), seed_(seed), row_(row) {}

  /// The sample's memory: u8 or f32, {height, width, channels} or {features}; zeros at first.
  [[nodiscard]] TensorView image() const;
  /// The same of u8 (pixels, interleaved) or of f32 (features). Throws Error where it is the other.
  [[nodiscard]] std::span<std::uint8_t> pixels() const;
  [[nodiscard]] std::span<float> values() const;

  /// What the model should give: HostBatch::target_width numbers, all to be written by the caller;
  /// zeros at first. NaN is unknown, where DeviceBatchFactory::weighs_outputs leaves it out.
  [[nodiscard]] std::span<float> target() const;
  /// The number of the sample's class. Throws Error for a negative one.
  void label(int label) const;
  /// Of the sample in the loss; 1 unless this is called. Throws Error unless finite, 0 or more.
  void weight(float weight) const;

  /// Random numbers of this sample in this pass: a function of EachRow's seed, the phase, the pass,
  /// the position and the purpose, whatever thread asks.
  [[nodiscard]] Random random(Purpose purpose = Purpose::user) const noexcept;
  [[nodiscard]] Phase phase() const noexcept { return batch_->tag.phase; }
  [[nodiscard]] std::uint32_t pass() const noexcept { return batch_->passes[row_]; }
  [[nodiscard]] std::uint64_t position() const noexcept { return batch_->positions[row_]; }

 private:
  template <class F>
  friend class EachRow;
  void clear() const;
  /// Checks what was said, and says what follows from it.
  void finish(const EachRowOptions& options) const;
  void finish_target(TargetKind kind) const;
  void relabel(std::span<const std::int32_t> labels) const;

  HostBatch* batch_;
  detail::RowNotes* notes_;
  std::uint64_t seed_;
  std::uint32_t row_;
};

}  // namespace millrace

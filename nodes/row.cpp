#include <millrace/nodes/row.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace millrace {
namespace detail {
namespace {
constexpr int kPhaseBit = 32;  // above positions, which are those of a pass
}  // namespace

/// A sample among those of both phases: a sample of validation may have the pass and the position
/// of one that was trained on.
std::uint64_t row_part(const HostBatch& batch, std::uint32_t row) noexcept {
  return static_cast<std::uint64_t>(batch.tag.phase) << kPhaseBit | batch.positions[row];
}

std::string row_name(std::uint64_t part) {
  const bool is_training = static_cast<Phase>(part >> kPhaseBit) == Phase::training;
  return concat(is_training ? "training" : "validation", " sample #",
                static_cast<std::uint32_t>(part));
}

}  // namespace detail

std::span<std::uint8_t> Row::pixels() const {
  if (batch_->dtype == DType::u8) return image().as<std::uint8_t>();
  throw Error(
      concat("batches hold ", to_string(batch_->dtype), ", which are no pixels: write values()"));
}

std::span<float> Row::values() const {
  if (batch_->dtype == DType::f32) return image().as<float>();
  throw Error(
      concat("batches hold ", to_string(batch_->dtype), ", which are no values: write pixels()"));
}

std::span<float> Row::target() const {
  notes_->has_target = true;
  return batch_->target(row_);
}

void Row::label(int label) const {
  if (label < 0) throw Error(concat("label: expected 0 or more, not ", label));
  batch_->labels[row_] = label;
  notes_->has_label = true;
}

void Row::weight(float weight) const {
  if (!std::isfinite(weight) || weight < 0) {
    throw Error(concat("weight: expected a finite number of 0 or more, not ", weight));
  }
  batch_->weights[row_] = weight;
}

Random Row::random(Purpose purpose) const noexcept {
  // With the phase, so that what is validated is not what was trained on.
  return {seed_, pass(), detail::row_part(*batch_, row_), purpose};
}

void Row::clear() const {
  const TensorView all = batch_->row(row_);
  std::memset(all.data, 0, all.bytes());
}

void Row::finish() const {
  const std::int64_t width = batch_->target_width;
  if (width == 0 || notes_->has_target) return;
  if (!notes_->has_label) {
    throw Error("batches have targets, and neither target() nor label() of the row was called");
  }
  const auto label = batch_->labels[row_];
  if (label >= width) {
    throw Error(concat("label: ", label, " is none of the ", width, " classes of the targets"));
  }
  const std::span<float> target = batch_->target(row_);
  std::fill(target.begin(), target.end(), 0.0F);
  target[static_cast<std::size_t>(label)] = 1.0F;
}

}  // namespace millrace

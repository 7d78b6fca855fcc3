#include <millrace/nodes/row.h>

#include <millrace/core/error.h>
#include <millrace/image/pixels.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

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

TensorView Row::image() const {
  const TensorView row = batch_->row(row_);
  return notes_->spreads ? bytes_within(row) : row;
}

std::span<std::uint8_t> Row::pixels() const {
  if (image().dtype == DType::u8) return image().as<std::uint8_t>();
  throw Error(
      concat("batches hold ", to_string(image().dtype), ", which are no pixels: write values()"));
}

std::span<float> Row::values() const {
  if (image().dtype == DType::f32) return image().as<float>();
  throw Error(
      concat("batches hold ", to_string(image().dtype), ", which are no values: write pixels()"));
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

void Row::finish(const EachRowOptions& options) const {
  if (!options.labels.empty()) relabel(options.labels);
  if (batch_->target_width > 0) finish_target(options.targets);
  if (notes_->spreads) spread_bytes(batch_->row(row_));
}

void Row::relabel(std::span<const std::int32_t> labels) const {
  std::int32_t& label = batch_->labels[row_];
  const std::size_t count = labels.size();
  if (notes_->has_label && static_cast<std::size_t>(label) >= count) {
    throw Error(concat("label: ", label, " is none of the ", count, " classes, 0 to ", count - 1));
  }
  if (notes_->has_label) label = labels[static_cast<std::size_t>(label)];
  const std::span<float> target = batch_->target(row_);
  if (!notes_->has_label && (target.empty() || !notes_->has_target)) {
    throw Error("samples have classes, and label() of the row was not called");
  }
  if (!notes_->has_target || target.size() != count) return;
  const std::vector<float> given(target.begin(), target.end());
  for (std::size_t i = 0; i < count; ++i) target[static_cast<std::size_t>(labels[i])] = given[i];
}

void Row::finish_target(TargetKind kind) const {
  const std::span<float> target = batch_->target(row_);
  if (kind != TargetKind::classes) {
    if (!notes_->has_target) {
      throw Error("samples have targets, and target() of the row was not called");
    }
    const auto is_wrong = [kind](float value) {
      return std::isinf(value) || (kind == TargetKind::labels && (value < 0 || value > 1));
    };
    const auto wrong = std::find_if(target.begin(), target.end(), is_wrong);
    if (wrong == target.end()) return;
    throw Error(concat("target ", wrong - target.begin(), ": expected ",
                       kind == TargetKind::labels ? "a label in 0..1" : "a finite number",
                       ", or NaN for one that is not known, not ", *wrong));
  }
  if (notes_->has_target) return;
  if (!notes_->has_label) {
    throw Error("batches have targets, and neither target() nor label() of the row was called");
  }
  const auto label = static_cast<std::size_t>(batch_->labels[row_]);
  if (label >= target.size()) {
    throw Error(
        concat("label: ", label, " is none of the ", target.size(), " classes of the targets"));
  }
  std::fill(target.begin(), target.end(), 0.0F);
  target[label] = 1.0F;
}

}  // namespace millrace

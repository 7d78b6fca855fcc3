#include <millrace/training/resident.h>

#include <millrace/training/replay.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

/// From numbers in the data set to rows; closes the holes.
void find_rows(HostBatch& step, const std::vector<std::uint32_t>& rows) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(step.size); ++i) {
    const std::uint32_t sample = step.index[i];
    const std::uint32_t row = sample < rows.size() ? rows[sample] : ResidentData::kNoRow;
    if (row == ResidentData::kNoRow) continue;
    if (i != used) {
      step.move_stamps(static_cast<std::int64_t>(i), static_cast<std::int64_t>(used));
    }
    step.valid[used] = 1;
    step.index[used++] = row;
  }
  step.holes = step.size - static_cast<std::int64_t>(used);
  step.size = static_cast<std::int64_t>(used);
}

HostBatch without_pixels(const HostBatch& slot, std::int64_t capacity) {
  return ReplaySlotFactory{{.sample = slot.sample,
                            .dtype = slot.dtype,
                            .capacity = capacity,
                            .target_width = slot.target_width}}();
}

}  // namespace

KeepResident::KeepResident(std::shared_ptr<ResidentData> data) : data_(std::move(data)) {}

void KeepResident::operator()(const Lease<HostBatch>& batch) {
  if (batch->size == 0) return;
  data_->pixels->write(data_->size, batch->rows());
  std::vector<std::uint32_t>& rows = data_->of(batch->tag.phase);
  for (std::size_t i = 0; i < static_cast<std::size_t>(batch->size); ++i) {
    const std::uint32_t sample = batch->index[i];
    if (sample >= rows.size()) rows.resize(std::size_t{sample} + 1, ResidentData::kNoRow);
    rows[sample] = static_cast<std::uint32_t>(data_->size++);
  }
}

ResidentReader::ResidentReader(DirectoryReader reader, std::shared_ptr<const ResidentData> data,
                               ResidentOptions options)
    : reader_(std::move(reader)),
      data_(std::move(data)),
      options_(std::move(options)),
      steps_(options_.steps_before) {
  if (options_.steps < 1) throw UsageError("resident: a batch holds 1 step or more, not 0");
  std::erase(options_.stops, 0U);
}

bool ResidentReader::read_step() {
  is_read_ = reader_.next(*step_);
  if (is_read_) find_rows(*step_, data_->of(step_->tag.phase));
  return is_read_;
}

void ResidentReader::append_step(HostBatch& batch) {
  const HostBatch& step = *step_;
  const auto to = static_cast<std::ptrdiff_t>(batch.size);
  const std::int64_t width = step.target_width;
  std::copy_n(step.index.begin(), step.size, batch.index.begin() + to);
  std::copy_n(step.labels.begin(), step.size, batch.labels.begin() + to);
  std::copy_n(step.targets.begin(), step.size * width, batch.targets.begin() + to * width);
  std::copy_n(step.weights.begin(), step.size, batch.weights.begin() + to);
  std::copy_n(step.valid.begin(), step.size, batch.valid.begin() + to);
  std::copy_n(step.passes.begin(), step.size, batch.passes.begin() + to);
  std::copy_n(step.positions.begin(), step.size, batch.positions.begin() + to);
  batch.size += step.size;
  batch.holes += step.holes;
  ++batch.tag.count;
  batch.tag.ends_phase = step.tag.ends_phase;
  batch.tag.ends_epoch = step.tag.ends_epoch;
  batch.tag.ends_run = step.tag.ends_run;
  batch.tag.next = step.tag.next;
  if (step.tag.phase == Phase::training && step.size > 0) ++steps_;
  is_read_ = false;
}

bool ResidentReader::may_grow(const HostBatch& batch) const {
  const BatchTag& tag = batch.tag;
  const bool is_full = batch.size == tag.count * tag.rows;
  const bool stops = std::any_of(options_.stops.begin(), options_.stops.end(),
                                 [this](std::uint64_t stop) { return steps_ % stop == 0; });
  return tag.phase == Phase::training && tag.count < options_.steps && is_full && !tag.ends_phase &&
         !stops;
}

bool ResidentReader::operator()(Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit) {
  HostBatch& batch = *slot;
  const std::int64_t rows = reader_.batch();
  MILLRACE_CHECK(batch.capacity() >= rows * options_.steps, "slots hold ", batch.capacity(),
                 " samples, ", options_.steps, " steps ", rows * options_.steps);
  if (step_ == nullptr) step_ = std::make_shared<HostBatch>(without_pixels(batch, rows));
  if (!is_read_ && !read_step()) return false;
  batch.size = 0;
  batch.holes = 0;
  batch.tag = step_->tag;
  batch.tag.count = 0;
  batch.tag.rows = rows;
  append_step(batch);
  // What a step draws depends on the pass of its first sample, which a batch has one of.
  while (may_grow(batch) && read_step()) {
    if (step_->size > 0 && step_->passes[0] != batch.passes[0]) break;
    append_step(batch);
  }
  const bool ends = !is_read_ && batch.tag.ends_run;
  emit(std::move(slot));
  return !ends;
}

}  // namespace millrace

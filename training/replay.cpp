#include <millrace/training/replay.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

/// Pixels of a kept batch, which stays as long as they are looked at.
Buffer pixels_of(const Lease<HostBatch>& kept) {
  return {kept->pixels.data(), Bytes{kept->pixels.size()}, [kept](std::byte*) {}};
}

/// Memory that is said to be there and is not, until a kept batch lends its own.
Buffer no_pixels(Bytes size) {
  return {nullptr, size, [](std::byte*) {}};
}

std::vector<std::uint32_t> first_positions(const KeptBatches& kept) {
  std::vector<std::uint32_t> positions;
  std::uint32_t samples = 0;
  for (const Lease<HostBatch>& batch : kept) {
    positions.push_back(samples);
    samples += static_cast<std::uint32_t>(batch->size);
  }
  return positions;
}

}  // namespace

KeepBatches::KeepBatches(std::shared_ptr<KeptBatches> kept) : kept_(std::move(kept)) {}

void KeepBatches::operator()(const Lease<HostBatch>& batch) {
  kept_->push_back(batch);
}

HostBatch ReplaySlotFactory::operator()() const {
  HostBatchFactory without_pixels = batch;
  without_pixels.allocate = no_pixels;
  return without_pixels();
}

Bytes ReplaySlotFactory::bytes() const {
  const auto pixels =
      static_cast<std::uint64_t>(batch.capacity * batch.sample.elements()) * size_of(batch.dtype);
  return {batch.bytes().count - pixels};
}

Replay::Replay(std::shared_ptr<const KeptBatches> kept, ReplayOptions options)
    : kept_(std::move(kept)),
      options_(std::move(options)),
      next_(std::uint64_t{options_.start.epoch} * options_.steps + options_.start.step) {
  if (options_.steps < 1) throw UsageError("replay: an epoch must have 1 step or more, not 0");
  const ReaderPosition& start = options_.start;
  if (start.phase != Phase::training || start.step >= options_.steps) {
    throw Error(concat("replay: there is no batch ", start.step + 1, " of epoch ", start.epoch + 1,
                       "; an epoch has ", options_.steps, " batches and no validation"));
  }
}

ReaderPosition Replay::position(std::uint64_t number) const {
  return {.epoch = static_cast<std::uint32_t>(number / options_.steps),
          .step = static_cast<std::uint32_t>(number % options_.steps),
          .pass = static_cast<std::uint32_t>(number / kept_->size()),
          .position = positions_[number % positions_.size()]};
}

void Replay::fill(HostBatch& slot, std::uint64_t number) const {
  const Lease<HostBatch>& lease = (*kept_)[number % kept_->size()];
  const HostBatch& kept = *lease;
  MILLRACE_CHECK(slot.sample == kept.sample && slot.dtype == kept.dtype &&
                     slot.target_width == kept.target_width && slot.capacity() == kept.capacity(),
                 "slots for samples of ", slot.sample, " cannot show kept batches of ",
                 kept.sample);
  slot.pixels = pixels_of(lease);
  slot.size = kept.size;
  slot.holes = kept.holes;
  const auto rows = static_cast<std::size_t>(kept.size);
  const auto targets = rows * static_cast<std::size_t>(kept.target_width);
  std::copy_n(kept.index.begin(), rows, slot.index.begin());
  std::copy_n(kept.labels.begin(), rows, slot.labels.begin());
  std::copy_n(kept.targets.begin(), targets, slot.targets.begin());
  std::copy_n(kept.weights.begin(), rows, slot.weights.begin());
  std::copy_n(kept.valid.begin(), rows, slot.valid.begin());
  const ReaderPosition at = position(number);
  for (std::size_t row = 0; row < rows; ++row) {
    slot.passes[row] = at.pass;
    slot.positions[row] = at.position + row;
  }
}

bool Replay::operator()(Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit) {
  const bool is_finished = options_.finished != nullptr && options_.finished->load();
  const std::uint64_t end = std::uint64_t{options_.epochs} * options_.steps;
  if (next_ >= end || is_finished) return false;
  if (kept_->empty()) throw Error("replay: no batch was kept, so there is nothing to feed");
  if (positions_.empty()) positions_ = first_positions(*kept_);
  fill(*slot, next_);
  const ReaderPosition at = position(next_);
  const ReaderPosition behind = position(++next_);
  const bool ends_epoch = behind.epoch != at.epoch;
  const std::uint32_t in_group = ends_epoch ? 0 : behind.step % options_.accumulate;
  slot->tag = {.phase = Phase::training,
               .epoch = at.epoch,
               .step = at.step,
               .steps = options_.steps,
               .ends_phase = ends_epoch,
               .ends_epoch = ends_epoch,
               .ends_run = next_ == end,
               .next = position(next_ - in_group)};
  emit(std::move(slot));
  return next_ != end;
}

}  // namespace millrace

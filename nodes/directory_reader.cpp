#include <millrace/nodes/directory_reader.h>

#include <millrace/core/random.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace millrace {
namespace {

std::uint32_t batches_of(std::uint32_t samples, std::int64_t batch) {
  return static_cast<std::uint32_t>((samples + batch - 1) / batch);
}

std::uint32_t limited(std::uint32_t steps, std::uint32_t limit) {
  return limit == 0 ? steps : std::min(steps, limit);
}

}  // namespace

SampleSet SampleSet::all(std::shared_ptr<const Dataset> dataset) {
  SampleSet set{std::move(dataset), {}};
  set.samples.resize(set.dataset->size());
  std::iota(set.samples.begin(), set.samples.end(), 0U);
  return set;
}

DirectoryReader::DirectoryReader(SampleSet training, SampleSet validation, ReaderOptions options)
    : training_(std::make_shared<const SampleSet>(std::move(training))),
      validation_(std::make_shared<const SampleSet>(std::move(validation))),
      options_(options) {
  if (options_.batch < 1)
    throw UsageError(concat("batch: must be 1 or more, not ", options_.batch));
  if (options_.ticket_samples < 1) throw UsageError("ticket samples: must be 1 or more, not 0");
  if (training_->size() == 0) throw Error("there is nothing to train on: no sample is left");
  const std::uint32_t pass = batches_of(training_->size(), options_.batch);
  training_steps_ = limited(options_.steps_per_epoch == 0 ? pass : options_.steps_per_epoch,
                            options_.limit_batches);
  validation_steps_ =
      limited(batches_of(validation_->size(), options_.batch), options_.limit_batches);
}

std::vector<std::int64_t> DirectoryReader::short_batches() const {
  std::vector<std::int64_t> sizes;
  const auto add = [&](const SampleSet& set, std::uint32_t steps) {
    const std::int64_t rest = set.size() % options_.batch;
    const bool comes = rest != 0 && steps == batches_of(set.size(), options_.batch);
    if (comes && std::find(sizes.begin(), sizes.end(), rest) == sizes.end()) sizes.push_back(rest);
  };
  if (options_.steps_per_epoch == 0) add(*training_, training_steps_);
  add(*validation_, validation_steps_);
  return sizes;
}

Bytes DirectoryReader::bytes() const {
  const std::uint64_t numbers =
      3 * std::uint64_t{training_->size()} + 2 * std::uint64_t{validation_->size()};
  return {numbers * sizeof(std::uint32_t)};
}

void DirectoryReader::begin_pass() {
  order_.resize(training_->size());
  std::iota(order_.begin(), order_.end(), 0U);
  if (options_.shuffle) shuffle(order_, Random(options_.seed, pass_, 0, Draw::shuffle));
}

void DirectoryReader::stamp(HostBatch& batch, std::int64_t row, const SampleSet& set,
                            std::uint32_t position) {
  const auto i = static_cast<std::size_t>(row);
  batch.index[i] = set.samples[position];
  batch.labels[i] = set.dataset->label(set.samples[position]);
  batch.weights[i] = 1.0F;
  batch.valid[i] = 0;
}

void DirectoryReader::stamp_training(HostBatch& batch) {
  const bool is_endless = options_.steps_per_epoch != 0;
  for (batch.size = 0; batch.size < options_.batch; ++batch.size) {
    if (position_ == training_->size()) {
      if (!is_endless) break;
      ++pass_;
      position_ = 0;
    }
    if (position_ == 0) begin_pass();
    stamp(batch, batch.size, *training_, order_[position_]);
    batch.passes[static_cast<std::size_t>(batch.size)] = pass_;
    batch.draws[static_cast<std::size_t>(batch.size)] = position_++;
  }
}

void DirectoryReader::stamp_validation(HostBatch& batch) {
  const std::int64_t first = step_ * options_.batch;
  batch.size = std::min<std::int64_t>(options_.batch, validation_->size() - first);
  for (std::int64_t row = 0; row < batch.size; ++row) {
    const auto position = static_cast<std::uint32_t>(first + row);
    stamp(batch, row, *validation_, position);
    batch.passes[static_cast<std::size_t>(row)] = epoch_;
    batch.draws[static_cast<std::size_t>(row)] = position;
  }
}

void DirectoryReader::advance() {
  const bool is_training = phase_ == Phase::training;
  if (++step_ < (is_training ? training_steps_ : validation_steps_)) return;
  step_ = 0;
  if (is_training && options_.steps_per_epoch == 0) {  // an epoch is a pass
    ++pass_;
    position_ = 0;
  }
  if (is_training && validation_steps_ > 0) {
    phase_ = Phase::validation;
  } else {
    phase_ = Phase::training;
    ++epoch_;
  }
}

bool DirectoryReader::operator()(Lease<HostBatch> batch, Emit<Ticket>& emit) {
  if (epoch_ == options_.epochs) return false;
  MILLRACE_CHECK(batch->capacity() >= options_.batch, "slots hold ", batch->capacity(),
                 " samples, a batch ", options_.batch);
  batch->tag = {.phase = phase_, .epoch = epoch_, .step = step_};
  batch->holes = 0;
  if (phase_ == Phase::training) {
    batch->tag.steps = training_steps_;
    stamp_training(*batch);
  } else {
    batch->tag.steps = validation_steps_;
    stamp_validation(*batch);
  }
  const Phase phase = phase_;
  const std::uint32_t epoch = epoch_;
  advance();
  batch->tag.ends_phase = phase_ != phase || epoch_ != epoch;
  batch->tag.ends_epoch = epoch_ != epoch;
  batch->tag.ends_run = epoch_ == options_.epochs;
  const auto size = static_cast<std::uint32_t>(batch->size);
  for (std::uint32_t first = 0; first < size; first += options_.ticket_samples) {
    emit({batch, first, std::min(options_.ticket_samples, size - first)});
  }
  return epoch_ != options_.epochs;
}

}  // namespace millrace

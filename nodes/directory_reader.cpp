#include <millrace/nodes/directory_reader.h>

#include <millrace/core/plural.h>
#include <millrace/core/random.h>
#include <millrace/nodes/shard_order.h>

#include <algorithm>
#include <numeric>
#include <span>
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

std::uint32_t ticket_samples(const Shape& sample) {
  constexpr std::int64_t kPixels = 16 * 1024;  // about 200 us of decoding a small PNG or JPEG
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(kPixels / sample.elements(), 1, 16));
}

DirectoryReader::DirectoryReader(SampleSet training, SampleSet validation, ReaderOptions options)
    : DirectoryReader(std::make_shared<const SampleSet>(std::move(training)),
                      std::make_shared<const SampleSet>(std::move(validation)),
                      std::move(options)) {}

DirectoryReader::DirectoryReader(std::shared_ptr<const SampleSet> training,
                                 std::shared_ptr<const SampleSet> validation, ReaderOptions options)
    : training_(std::move(training)),
      validation_(std::move(validation)),
      options_(std::move(options)),
      next_(options_.start),
      group_(options_.start) {
  if (options_.batch < 1)
    throw UsageError(concat("batch: must be 1 or more, not ", options_.batch));
  if (options_.ticket_samples < 1) throw UsageError("ticket samples: must be 1 or more, not 0");
  if (options_.accumulate < 1) throw UsageError("accumulate: must be 1 or more, not 0");
  if (options_.rank >= options_.world) {
    throw UsageError(concat("rank: must be below the number of processes, ", options_.world,
                            ", not ", options_.rank));
  }
  const std::size_t classes = training_->dataset->classes().size();
  if (!options_.class_weights.empty() && options_.class_weights.size() != classes) {
    throw UsageError(
        concat("class weights: ", options_.class_weights.size(), " for ", classes, " classes"));
  }
  const std::uint32_t samples = samples_of_rank();
  if (samples == 0) throw Error("there is nothing to train on: no sample is left");
  const std::uint32_t pass = options_.drop_last
                                 ? static_cast<std::uint32_t>(samples / options_.batch)
                                 : batches_of(samples, options_.batch);
  if (pass == 0 && options_.steps_per_epoch == 0) {
    throw Error(concat("there is nothing to train on: ", samples,
                       plural(samples, " sample does", " samples do"), " not fill a batch of ",
                       options_.batch, ", and the last batch is dropped"));
  }
  training_steps_ = limited(options_.steps_per_epoch == 0 ? pass : options_.steps_per_epoch,
                            options_.limit_batches);
  validation_steps_ =
      limited(batches_of(validation_->size(), options_.batch), options_.limit_batches);
  const std::uint32_t steps = next_.phase == Phase::training ? training_steps_ : validation_steps_;
  const bool is_within = next_.position <= samples && (next_.step == 0 || next_.step < steps);
  if (!is_within || (next_.phase == Phase::validation && steps == 0)) {
    throw Error(concat("there is no batch ", next_.step + 1, " of epoch ", next_.epoch + 1,
                       " in this data set; it has changed since the run began"));
  }
}

std::vector<std::int64_t> DirectoryReader::short_batches() const {
  std::vector<std::int64_t> sizes;
  const auto add = [&](std::uint32_t samples, std::uint32_t steps) {
    const std::int64_t rest = samples % options_.batch;
    const bool comes = rest != 0 && steps == batches_of(samples, options_.batch);
    if (comes && std::find(sizes.begin(), sizes.end(), rest) == sizes.end()) sizes.push_back(rest);
  };
  if (options_.steps_per_epoch == 0) add(samples_of_rank(), training_steps_);
  add(validation_->size(), validation_steps_);
  return sizes;
}

std::uint32_t DirectoryReader::samples_of_rank() const noexcept {
  const std::uint32_t all = training_->size();
  return all / options_.world + (options_.rank < all % options_.world ? 1 : 0);
}

Bytes DirectoryReader::bytes() const {
  const std::uint64_t numbers =
      3 * std::uint64_t{training_->size()} + 2 * std::uint64_t{validation_->size()};
  return {numbers * sizeof(std::uint32_t)};
}

// The order of a pass depends on nothing but its number, so a run can begin in the middle of one.
void DirectoryReader::order_pass() {
  if (!order_.empty() && ordered_pass_ == next_.pass) return;
  ordered_pass_ = next_.pass;
  order_.resize(training_->size());
  const std::span<const std::uint32_t> shards = training_->dataset->shards();
  if (options_.shuffle && options_.shuffle_buffer > 0 && !shards.empty()) {
    order_by_shards(training_->samples, shards, options_.seed, next_.pass, options_.shuffle_buffer,
                    order_);
    return;
  }
  std::iota(order_.begin(), order_.end(), 0U);
  if (options_.shuffle) shuffle(order_, Random(options_.seed, next_.pass, 0, Purpose::shuffle));
}

void DirectoryReader::stamp(HostBatch& batch, std::int64_t row, const SampleSet& set,
                            std::uint32_t position) {
  const auto i = static_cast<std::size_t>(row);
  batch.index[i] = set.samples[position];
  const Dataset& data = *set.dataset;
  const int label = data.targets().empty() ? data.label(batch.index[i]) : -1;
  const bool is_weighted = batch.tag.phase == Phase::training && !options_.class_weights.empty();
  batch.labels[i] = options_.with_labels ? label : -1;
  batch.weights[i] = is_weighted ? options_.class_weights[static_cast<std::size_t>(label)] : 1.0F;
  batch.valid[i] = 0;
  if (batch.target_width == 0) return;
  const std::span<float> target = batch.target(row);
  if (label < 0) return data.target(batch.index[i], target);
  std::fill(target.begin(), target.end(), 0.0F);
  target[static_cast<std::size_t>(label)] = 1.0F;
}

void DirectoryReader::stamp_training(HostBatch& batch) {
  const bool is_endless = options_.steps_per_epoch != 0;
  for (batch.size = 0; batch.size < options_.batch; ++batch.size) {
    if (next_.position == samples_of_rank()) {
      if (!is_endless) break;
      ++next_.pass;
      next_.position = 0;
    }
    order_pass();
    const std::uint32_t position = options_.rank + options_.world * next_.position++;
    stamp(batch, batch.size, *training_, order_[position]);
    batch.passes[static_cast<std::size_t>(batch.size)] = next_.pass;
    batch.positions[static_cast<std::size_t>(batch.size)] = position;
  }
}

void DirectoryReader::stamp_validation(HostBatch& batch) {
  const std::int64_t first = next_.step * options_.batch;
  batch.size = std::min<std::int64_t>(options_.batch, validation_->size() - first);
  for (std::int64_t row = 0; row < batch.size; ++row) {
    const auto position = static_cast<std::uint32_t>(first + row);
    stamp(batch, row, *validation_, position);
    batch.passes[static_cast<std::size_t>(row)] = next_.epoch;
    batch.positions[static_cast<std::size_t>(row)] = position;
  }
}

void DirectoryReader::advance() {
  const bool is_training = next_.phase == Phase::training;
  if (++next_.step < (is_training ? training_steps_ : validation_steps_)) return;
  next_.step = 0;
  if (is_training && options_.steps_per_epoch == 0) {  // an epoch is a pass
    ++next_.pass;
    next_.position = 0;
  }
  if (is_training && validation_steps_ > 0) {
    next_.phase = Phase::validation;
  } else {
    next_.phase = Phase::training;
    ++next_.epoch;
  }
}

bool DirectoryReader::next(HostBatch& batch) {
  const bool is_finished = options_.finished != nullptr && options_.finished->load();
  if (next_.epoch >= options_.epochs || is_finished) return false;
  MILLRACE_CHECK(batch.capacity() >= options_.batch, "slots hold ", batch.capacity(),
                 " samples, a batch ", options_.batch);
  const Dataset& data = *training_->dataset;
  const std::size_t told = data.targets().empty() ? data.classes().size() : data.targets().size();
  MILLRACE_CHECK(batch.target_width == 0 || batch.target_width == static_cast<std::int64_t>(told),
                 "targets of ", batch.target_width, " numbers do not fit ", told,
                 data.targets().empty() ? " classes" : " targets");
  const ReaderPosition at = next_;
  const bool is_training = at.phase == Phase::training;
  if (at.step % options_.accumulate == 0) group_ = at;
  batch.tag = {.phase = at.phase,
               .epoch = at.epoch,
               .step = at.step,
               .steps = is_training ? training_steps_ : validation_steps_};
  batch.holes = 0;
  is_training ? stamp_training(batch) : stamp_validation(batch);
  advance();
  batch.tag.ends_phase = next_.phase != at.phase || next_.epoch != at.epoch;
  batch.tag.ends_epoch = next_.epoch != at.epoch;
  batch.tag.ends_run = next_.epoch == options_.epochs;
  const bool ends_group =
      !is_training || batch.tag.ends_phase || next_.step % options_.accumulate == 0;
  batch.tag.next = ends_group ? next_ : group_;
  return true;
}

bool DirectoryReader::operator()(Lease<HostBatch> batch, Emit<Ticket>& emit) {
  if (!next(*batch)) return false;
  const auto size = static_cast<std::uint32_t>(batch->size);
  for (std::uint32_t first = 0; first < size; first += options_.ticket_samples) {
    emit({batch, first, std::min(options_.ticket_samples, size - first)});
  }
  return next_.epoch != options_.epochs;
}

}  // namespace millrace

#include <millrace/nodes/streamed.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nodes/directory_reader.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::detail {
namespace {

std::uint32_t limited(std::uint32_t steps, std::uint32_t limit) {
  return limit == 0 ? steps : std::min(steps, limit);
}

const char* name_of(Phase phase) {
  return phase == Phase::training ? "training" : "validation";
}

}  // namespace

void refuse_end(const StreamStart& start, std::optional<std::uint64_t> samples) {
  throw Error(concat("cannot resume after sample ", start.begin, " of pass ", start.pass + 1,
                     " of the ", name_of(start.phase), " stream: it ends ",
                     samples ? concat("after ", *samples) : "before",
                     "; it has changed since the run began"));
}

StreamCursor::StreamCursor(StreamedOptions options)
    : options_(std::move(options)), next_(options_.start), group_(options_.start) {
  if (options_.batch < 0)
    throw UsageError(concat("batch: must be 0 or more, not ", options_.batch));
  if (options_.accumulate < 1) throw UsageError("accumulate: must be 1 or more, not 0");
  if (most_steps() > 0 && next_.step > 0 && next_.step >= most_steps()) {
    throw Error(concat("there is no batch ", next_.step + 1, " of epoch ", next_.epoch + 1, " of ",
                       most_steps(), " batches; the run began with other options"));
  }
}

bool StreamCursor::is_over() const noexcept {
  return next_.epoch >= options_.epochs ||
         (options_.finished != nullptr && options_.finished->load());
}

std::uint32_t StreamCursor::most_steps() const noexcept {
  return counts() ? limited(options_.steps_per_epoch, options_.limit_batches)
                  : options_.limit_batches;
}

bool StreamCursor::is_last_by_count() const noexcept {
  return most_steps() > 0 && next_.step + 1 >= most_steps();
}

std::size_t StreamCursor::ticket_samples(const HostBatch& batch) const {
  return options_.ticket_samples > 0 ? options_.ticket_samples
                                     : millrace::ticket_samples(batch.sample);
}

StreamStart StreamCursor::stream() const noexcept {
  if (next_.phase == Phase::training) return {Phase::training, next_.pass, next_.position};
  return {Phase::validation, next_.epoch, next_.step * static_cast<std::uint64_t>(full_)};
}

StreamStart StreamCursor::validation() const noexcept {
  return {Phase::validation, next_.epoch, 0};
}

std::size_t StreamCursor::ahead() const noexcept {
  const bool drops = options_.drop_last && next_.phase == Phase::training;
  return drops ? static_cast<std::size_t>(full_) : 1;
}

Bytes StreamCursor::payload(int slots, std::int64_t capacity) const {
  if (options_.payload.count == 0) return {};
  const std::int64_t rows = options_.batch > 0 ? options_.batch : capacity;
  if (rows == 0) {
    throw UsageError(
        "payload: set StreamedOptions::batch too, since the pool does not know how many samples a "
        "slot holds");
  }
  const bool drops = options_.drop_last && options_.steps_per_epoch == 0;
  const auto samples = static_cast<std::uint64_t>(slots * rows + (drops ? rows : 1));
  return (samples + options_.buffered) * options_.payload;
}

void StreamCursor::begin(HostBatch& batch) {
  full_ = options_.batch > 0 ? options_.batch : batch.capacity();
  if (batch.capacity() < full_) {
    throw UsageError(concat("batch: slots hold ", batch.capacity(), " samples, a batch ", full_));
  }
  if (next_.step % options_.accumulate == 0) group_ = next_;
  batch.size = 0;
  batch.holes = 0;
  batch.tag = {.phase = next_.phase, .epoch = next_.epoch, .step = next_.step};
}

void StreamCursor::add_row(HostBatch& batch) {
  const bool is_training = next_.phase == Phase::training;
  const std::uint64_t position = is_training ? next_.position
                                             : next_.step * static_cast<std::uint64_t>(full_) +
                                                   static_cast<std::uint64_t>(batch.size);
  if (position >= std::numeric_limits<std::uint32_t>::max()) {
    throw Error(concat("a pass has at most ", std::numeric_limits<std::uint32_t>::max(),
                       " samples; let the stream end before, so that another pass begins"));
  }
  const auto i = static_cast<std::size_t>(batch.size);
  batch.index[i] = static_cast<std::uint32_t>(position);
  batch.positions[i] = position;
  batch.passes[i] = is_training ? next_.pass : next_.epoch;
  batch.labels[i] = -1;
  batch.weights[i] = 1.0F;
  batch.valid[i] = HostBatch::kNotStamped;
  const std::span<float> target = batch.target(batch.size);
  std::fill(target.begin(), target.end(), 0.0F);
  ++batch.size;
  if (is_training) ++next_.position;
}

bool StreamCursor::begin_pass() {
  if (!counts()) return false;
  if (next_.position == 0) {
    throw Error(concat("there is nothing to train on: the stream of pass ", next_.pass + 1,
                       " has no sample"));
  }
  ++next_.pass;
  next_.position = 0;
  return true;
}

void StreamCursor::check_payload(std::uint64_t held) const {
  if (options_.payload.count == 0) return;
  const auto rows = static_cast<std::uint64_t>(full_);
  const Bytes charged = rows * options_.payload;
  if (held <= charged.count) return;
  throw Error(concat("samples of a batch hold ", Bytes{held}, " or more, more than the ", rows,
                     " x ", options_.payload,
                     " that were charged; raise StreamedOptions::payload to ",
                     Bytes{(held + rows - 1) / rows}, " or more"));
}

void StreamCursor::check_filled(const HostBatch& batch) const {
  const bool is_training = next_.phase == Phase::training;
  const bool is_short = is_training && !counts() && options_.drop_last && batch.size < full_;
  if (batch.size > 0 && !is_short) return;
  if (next_.step > 0) {
    throw Error(concat("there is no ", name_of(next_.phase), " batch ", next_.step + 1,
                       " of epoch ", next_.epoch + 1,
                       ": its stream ends before; it has changed since the run began"));
  }
  if (batch.size > 0) {
    throw Error(concat("there is nothing to train on in epoch ", next_.epoch + 1, ": ", batch.size,
                       plural(batch.size, " sample does", " samples do"), " not fill a batch of ",
                       full_, ", and the last batch is dropped"));
  }
  throw Error(concat("epoch ", next_.epoch + 1, " has no ", name_of(next_.phase),
                     " sample: its stream is empty"));
}

void StreamCursor::end(HostBatch& batch, bool has_more, bool has_validation) {
  const bool is_training = next_.phase == Phase::training;
  BatchTag& tag = batch.tag;
  const std::uint32_t open = has_more ? BatchTag::kUnknownSteps : next_.step + 1;
  tag.steps = counts() ? most_steps() : open;
  tag.ends_phase = !has_more;
  tag.ends_epoch = !has_more && !has_validation;
  ++next_.step;
  const bool ends_group = !is_training || tag.ends_phase || next_.step % options_.accumulate == 0;
  if (!has_more) end_phase(has_validation);
  tag.ends_run = next_.epoch >= options_.epochs;
  tag.next = ends_group ? next_ : group_;
}

void StreamCursor::end_phase(bool has_validation) {
  const bool is_training = next_.phase == Phase::training;
  if (is_training && !counts()) {  // an epoch is a pass
    ++next_.pass;
    next_.position = 0;
  }
  next_.step = 0;
  next_.phase = has_validation ? Phase::validation : Phase::training;
  if (!has_validation) ++next_.epoch;
}

}  // namespace millrace::detail

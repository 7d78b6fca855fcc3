#include "apps/common/time_left.h"

#include <algorithm>

namespace millrace::apps {
namespace {

constexpr std::size_t index(Phase phase) {
  return phase == Phase::training ? 0 : 1;
}

double seconds_between(TimeLeft::Time begin, TimeLeft::Time end) {
  return std::chrono::duration<double>(end - begin).count();
}

std::uint32_t done(const BatchTag& tag) {
  return tag.step + tag.count;
}

}  // namespace

TimeLeft::TimeLeft(std::uint32_t epochs, std::uint32_t training_steps,
                   std::uint32_t validation_steps)
    : epochs_(epochs) {
  phases_[index(Phase::training)].steps = training_steps;
  phases_[index(Phase::validation)].steps = validation_steps;
}

void TimeLeft::begin_phase(const BatchTag& tag, Time now) {
  Timed& phase = phases_[index(tag.phase)];
  phase.steps = tag.steps;
  // The gap holds the first steps too, which are then counted among the others: less than it seems.
  if (last_) {
    const double first_s = tag.step == 0 ? tag.count * step_seconds(tag.phase) : 0;
    phase.gap_s = std::max(0.0, seconds_between(last_time_, now) - first_s);
  }
  begin_ = now;
  first_ = done(tag);
  before_s_ = phase.is_timed ? phase.step_s : 0;
}

void TimeLeft::step(const BatchTag& tag, Time now) {
  if (!last_ || last_->phase != tag.phase || last_->epoch != tag.epoch) begin_phase(tag, now);
  last_ = tag;
  last_time_ = now;
  const std::uint32_t timed = done(tag) - std::min(done(tag), first_);
  if (timed == 0) return;
  // A tenth of a phase is told by the one before it as well, so that its first steps alone do not
  // throw what is told about.
  Timed& phase = phases_[index(tag.phase)];
  const double before = before_s_ > 0 ? 0.1 * tag.steps : 0;
  phase.step_s = (seconds_between(begin_, now) + before * before_s_) / (timed + before);
  phase.is_timed = true;
}

double TimeLeft::rate() const {
  if (!last_) return 0;
  const std::uint32_t timed = done(*last_) - std::min(done(*last_), first_);
  const double elapsed = seconds_between(begin_, last_time_);
  return timed > 0 && elapsed > 0 ? timed / elapsed : 0;
}

double TimeLeft::step_seconds(Phase phase) const {
  const Timed& own = phases_[index(phase)];
  return own.is_timed ? own.step_s : phases_[1 - index(phase)].step_s;
}

double TimeLeft::phase_seconds(Phase phase) const {
  const Timed& own = phases_[index(phase)];
  return own.steps == 0 ? 0 : own.gap_s + own.steps * step_seconds(phase);
}

std::optional<double> TimeLeft::seconds() const {
  const auto knows = [](const Timed& phase) { return phase.is_timed || phase.gap_s > 0; };
  if (!last_ || !(knows(phases_[0]) || knows(phases_[1]))) return std::nullopt;
  const std::uint32_t steps = last_->steps - std::min(last_->steps, done(*last_));
  double seconds = steps * step_seconds(last_->phase);
  if (last_->phase == Phase::training) seconds += phase_seconds(Phase::validation);
  const std::uint32_t epochs = epochs_ - std::min(epochs_, last_->epoch + 1);
  return seconds + epochs * (phase_seconds(Phase::training) + phase_seconds(Phase::validation));
}

}  // namespace millrace::apps

#include <millrace/training/run_schedule.h>

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/training/option_text.h>

namespace millrace {

using nn::ScheduleKind;

void choose_schedule(TrainSpec& spec, std::uint64_t run_steps) {
  nn::ScheduleOptions& o = spec.schedule;
  if (o.warmup_steps > 0 && o.warmup_steps >= run_steps) {
    throw UsageError(concat("--warmup-steps ", o.warmup_steps, ": the run has ", run_steps, ' ',
                            plural(run_steps, "step"),
                            ", so its schedule would end before it begins"));
  }
  const bool has_period = o.kind != ScheduleKind::constant && o.kind != ScheduleKind::piecewise;
  if (has_period && !spec.decay_steps) spec.decay_steps = run_steps - o.warmup_steps;
  o.decay_steps = spec.decay_steps.value_or(0);
}

std::string describe_schedule(const TrainSpec& spec) {
  const nn::ScheduleOptions& o = spec.schedule;
  const auto steps = [](std::uint64_t count) {
    return concat(with_commas(count), ' ', plural(count, "step"));
  };
  std::string text;
  if (o.kind != ScheduleKind::constant) text += concat(", ", nn::to_string(o.kind));
  if (spec.decay_steps) text += concat(" over ", steps(*spec.decay_steps));
  if (!o.milestones.empty()) {
    text += concat(" at ", OptionText<std::vector<std::uint64_t>>::write(o.milestones));
  }
  if (o.warmup_steps > 0) text += concat(", ", steps(o.warmup_steps), " of warm-up");
  const auto add = [&](const char* name, double value) {
    if (value > 0) text += concat(", ", name, ' ', value);
  };
  add("label smoothing", spec.label_smoothing);
  add("L2", spec.gradient.l2);
  add("clip value", spec.gradient.clip_value);
  add("clip norm", spec.gradient.clip_norm);
  add("clip global norm", spec.gradient.clip_global_norm);
  return text;
}

}  // namespace millrace

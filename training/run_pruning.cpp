#include <millrace/training/run_pruning.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

#include <sstream>

namespace millrace {
namespace {

nn::PruneSchedule schedule_of(const PruningSpec& o) {
  nn::PruneSchedule schedule{.kind = o.kind.value_or(nn::PruneKind::constant)};
  schedule.initial_sparsity = o.initial_sparsity.value_or(schedule.initial_sparsity);
  schedule.final_sparsity = o.final_sparsity.value_or(schedule.final_sparsity);
  schedule.begin_step = o.begin.value_or(schedule.begin_step);
  schedule.end_step = o.end;
  schedule.frequency = o.frequency.value_or(schedule.frequency);
  schedule.power = o.power.value_or(schedule.power);
  return schedule;
}

[[noreturn]] void refuse(const std::string& why) {
  throw UsageError(why);
}

}  // namespace

void choose_pruning(PruningSpec& o, std::uint64_t steps) {
  if (!o.kind) return;
  nn::PruneSchedule schedule = schedule_of(o);
  if (schedule.begin_step > steps) {
    refuse(concat("--prune-begin ", schedule.begin_step, ": the run ends at step ", steps));
  }
  const bool is_polynomial = schedule.kind == nn::PruneKind::polynomial;
  if (is_polynomial && !o.end) o.end = steps;
  if (is_polynomial && !o.initial_sparsity) o.initial_sparsity = schedule.initial_sparsity;
  if (is_polynomial && !o.power) o.power = schedule.power;
  o.final_sparsity = schedule.final_sparsity;
  o.begin = schedule.begin_step;
  o.frequency = schedule.frequency;
}

std::string unfinished_pruning(const PruningSpec& o, bool keras_compat, std::uint64_t steps) {
  if (!o.kind) return {};
  nn::PruneSchedule schedule = schedule_of(o);
  schedule.keras_compat = keras_compat;
  const std::optional<std::uint64_t> last = nn::last_mask(schedule, steps);
  if (!last) {
    return concat("--prune ", nn::to_string(*o.kind), ": a run of ", steps, ' ',
                  plural(steps, "step"),
                  " makes no mask, and nothing is pruned; see --prune-begin and "
                  "--prune-frequency");
  }
  const float reached = nn::sparsity_at(schedule, *last);
  const bool is_short = reached != static_cast<float>(schedule.final_sparsity);
  const bool is_beyond = schedule.end_step && *schedule.end_step > steps;
  if (!is_short && !is_beyond) return {};
  std::string line =
      is_beyond ? concat("--prune-end ", *schedule.end_step, ": the run ends at step ", steps)
                : concat("--prune ", nn::to_string(*o.kind), ": --prune-end ", *schedule.end_step,
                         " gets no mask");
  line += concat("; the last mask is made at step ", *last, ", with a sparsity of ", reached);
  if (is_short) line += concat(" in place of ", schedule.final_sparsity);
  return line;
}

std::optional<PruneOptions> prune_options(const PruningSpec& o, bool keras_compat) {
  if (!o.kind) return std::nullopt;
  PruneOptions options{.schedule = schedule_of(o), .include = o.include, .exclude = o.exclude};
  options.schedule.keras_compat = keras_compat;
  return options;
}

std::string describe(const Pruner& pruner) {
  const nn::PruneSchedule& s = pruner.options().schedule;
  std::ostringstream text;
  text << nn::to_string(s.kind) << ", sparsity ";
  if (s.kind == nn::PruneKind::polynomial) text << s.initial_sparsity << " to ";
  text << s.final_sparsity << " from step " << s.begin_step;
  if (s.end_step) text << " to " << *s.end_step;
  text << ", every " << s.frequency << ';';
  const char* separator = " ";
  for (const PrunedTensor& tensor : pruner.summary().tensors) {
    text << std::exchange(separator, ", ") << tensor.name;
  }
  return text.str();
}

}  // namespace millrace

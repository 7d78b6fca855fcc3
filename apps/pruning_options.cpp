#include "apps/pruning_options.h"

#include "apps/lists.h"

#include <millrace/core/error.h>

#include <cmath>
#include <sstream>

namespace millrace::apps {
namespace {

nn::PruneSchedule schedule_of(const PruningOptions& o) {
  nn::PruneSchedule schedule{.kind = nn::prune_kind(o.kind)};
  schedule.initial_sparsity = o.initial_sparsity.value_or(schedule.initial_sparsity);
  schedule.final_sparsity = o.final_sparsity.value_or(schedule.final_sparsity);
  schedule.begin_step = o.begin.value_or(schedule.begin_step);
  schedule.end_step = o.end;
  schedule.frequency = o.frequency.value_or(schedule.frequency);
  schedule.power = o.power.value_or(schedule.power);
  return schedule;
}

[[noreturn]] void refuse(const std::string& why) {
  throw UsageError("train: " + why);
}

void check_alone(const PruningOptions& o) {
  const bool is_any = o.initial_sparsity || o.final_sparsity || o.begin || o.end || o.frequency ||
                      o.power || !o.include.empty() || !o.exclude.empty();
  if (is_any) refuse("options of pruning without --prune constant or --prune polynomial");
}

}  // namespace

void declare(CommandLine& line, PruningOptions& o) {
  line.topic("pruning", "Pruning of single weights by magnitude; docs/pruning.md");
  line("prune", o.kind, "NAME",
       "constant: to the final sparsity at once; polynomial: from the initial to the final one; "
       "none (default), also for what a recipe prunes");
  line("prune-initial-sparsity", o.initial_sparsity, "X",
       "share of weights that the first mask prunes; default 0");
  line("prune-final-sparsity", o.final_sparsity, "X",
       "share of weights that the last mask prunes; default 0.5");
  line("prune-begin", o.begin, "STEP", "first mask after so many training steps; default 0");
  line("prune-end", o.end, "STEP",
       "last mask after so many; default: polynomial: the end of the run, constant: none");
  line("prune-frequency", o.frequency, "N", "a new mask every N steps; default 100");
  line("prune-power", o.power, "X", "of the polynomial; default 3");
  line("prune-include", o.include, "PATTERN[,...]",
       "prune kernels of these names alone: conv1, dense*, features.0.weight");
  line("prune-exclude", o.exclude, "PATTERN[,...]", "do not prune kernels of these names");
}

void check(const PruningOptions& o) {
  if (o.kind.empty()) check_alone(o);
  if (!o.is_on()) return;
  const nn::PruneSchedule schedule = schedule_of(o);
  const auto require_sparsity = [](const char* option, double value) {
    if (value >= 0 && value < 1) return;
    refuse(concat("--", option, " must be in [0, 1), not ", value));
  };
  require_sparsity("prune-initial-sparsity", schedule.initial_sparsity);
  require_sparsity("prune-final-sparsity", schedule.final_sparsity);
  if (schedule.kind == nn::PruneKind::constant && (o.initial_sparsity || o.power)) {
    refuse("--prune constant has no initial sparsity and no power; see --prune polynomial");
  }
  if (o.end && *o.end < schedule.begin_step) {
    refuse(concat("--prune-end ", *o.end, " comes before --prune-begin ", schedule.begin_step));
  }
  if (schedule.frequency == 0) refuse("--prune-frequency must be 1 or more, not 0");
  if (!(schedule.power > 0 && std::isfinite(schedule.power))) {
    refuse(concat("--prune-power must be above 0, not ", schedule.power));
  }
}

void choose(PruningOptions& o, std::uint64_t steps) {
  if (!o.is_on()) return;
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

std::string unfinished_pruning(const PruningOptions& o, bool keras_compat, std::uint64_t steps) {
  if (!o.is_on()) return {};
  nn::PruneSchedule schedule = schedule_of(o);
  schedule.keras_compat = keras_compat;
  const std::optional<std::uint64_t> last = nn::last_mask(schedule, steps);
  if (!last) {
    return concat("--prune ", o.kind, ": a run of ", steps,
                  " steps makes no mask, and nothing is pruned; see --prune-begin and "
                  "--prune-frequency");
  }
  const float reached = nn::sparsity_at(schedule, *last);
  const bool is_short = reached != static_cast<float>(schedule.final_sparsity);
  const bool is_beyond = schedule.end_step && *schedule.end_step > steps;
  if (!is_short && !is_beyond) return {};
  std::string line =
      is_beyond ? concat("--prune-end ", *schedule.end_step, ": the run ends at step ", steps)
                : concat("--prune ", o.kind, ": --prune-end ", *schedule.end_step, " gets no mask");
  line += concat("; the last mask is made at step ", *last, ", with a sparsity of ", reached);
  if (is_short) line += concat(" in place of ", schedule.final_sparsity);
  return line;
}

std::optional<PruneOptions> prune_options(const PruningOptions& o, bool keras_compat) {
  if (!o.is_on()) return std::nullopt;
  PruneOptions options{
      .schedule = schedule_of(o), .include = words_of(o.include), .exclude = words_of(o.exclude)};
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

}  // namespace millrace::apps

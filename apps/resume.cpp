#include "apps/resume.h"

#include "apps/run_recipe.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/make_callbacks.h>

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

/// Pruning that a run did not have begins where the run goes on: steps before could not be pruned.
void begin_pruning(PruningSpec& o, std::uint64_t step) {
  if (o.begin && *o.begin < step) {
    throw UsageError(concat("--prune-begin ", *o.begin, ": the run has taken ", step, ' ',
                            plural(step, "step"), " without pruning; give ", step,
                            " or more, or leave it out"));
  }
  if (!o.begin) o.begin = step;
  if (o.end && *o.end < *o.begin) {
    throw UsageError(concat("--prune-end ", *o.end, ": pruning begins at step ", *o.begin,
                            ", where the run goes on; give a later one"));
  }
}

/// Whether --loss means another one than before. The default may have got its name meanwhile.
bool means_other_loss(const Training& t, const TrainSpec& before) {
  return meant_loss(t.spec.loss, t.model) != meant_loss(before.loss, t.model);
}

/// Why losses are others than before; empty where they are not.
std::string why_other_loss(const Training& t, const TrainSpec& before) {
  if (means_other_loss(t, before)) return "--loss";
  const bool is_other =
      t.spec.gradient.l2 != before.gradient.l2 || t.spec.label_smoothing != before.label_smoothing;
  return is_other ? "--l2 or --label-smoothing" : "";
}

/// What is told of the best so far must be comparable with what comes; lines that say where it is
/// not. A checkpoint of a program that did not say what callbacks watched is told by the options
/// that the run had.
std::vector<std::string> settle_best(const Training& t, ResumedRun& run) {
  Checkpoint& checkpoint = run.point.checkpoint;
  const bool has_validation = t.data.validation.size() > 0;
  const Monitor now = monitor_of(t.spec.callbacks, has_validation);
  const Monitor before = monitor_of(run.before.callbacks, has_validation);
  if (!watched(checkpoint)) set_watched(before, checkpoint);
  const std::string other_loss = why_other_loss(t, run.before);
  std::vector<std::string> lines;
  if (!other_loss.empty() && now.name.ends_with("loss")) {
    lines = {
        concat(now.name, " is another with this ", other_loss, ": the best so far begins anew")};
  } else {
    lines = begun_anew(t.spec.callbacks, now, checkpoint);
  }
  if (t.pruner != nullptr && !is_pruned(checkpoint)) {
    lines.emplace_back("pruning begins here: the best so far begins anew");
    forget_best(checkpoint);
  }
  if (!other_loss.empty() && before.name.ends_with("loss")) forget_best(checkpoint);
  return lines;
}

/// What a run that has ended needs for going on; empty where it has it, or has not ended.
std::string what_is_needed(const Training& t, const ResumedRun& run) {
  const ResumePoint& point = run.point;
  if (!point.has_ended()) return {};
  const CallbackSpec& o = t.spec.callbacks;
  const Monitor monitor = monitor_of(o, t.data.validation.size() > 0);
  const auto stop = early_stop_of(point.checkpoint, monitor);
  if (!stop) {
    return concat("that is not taken back; begin a new run from its weights: --weights ",
                  run.directory.path().string());
  }
  if (!stop->counts || !o.patience || *o.patience > stop->wait) return {};
  return concat("to go on, give --patience ", stop->wait + 1, " or more, or none");
}

/// Whether the command line itself says what the model is, or how samples become its input.
bool says_model(const OptionList& line) {
  return std::any_of(line.options().begin(), line.options().end(), [](const auto& option) {
    return option->is_of_model && option->source == OptionSource::command_line;
  });
}

}  // namespace

std::shared_ptr<ResumedRun> open_resumed(TrainOptions& options, const OptionList& line) {
  const std::string& run = options.resume;
  if (run.empty()) return nullptr;
  TrainSpec& spec = options.spec;
  RunDirectory directory(run, OldRun::resume, spec.run.keep_checkpoints);
  ResumePoint point = find_resume_point(directory);
  for (const std::string& damage : point.damaged) {
    std::cerr << "millrace: passed over: " << shown(damage) << '\n';
  }
  if (spec.pruning.kind && !is_pruned(point.checkpoint)) {
    begin_pruning(spec.pruning, point.step());
  }
  return std::make_shared<ResumedRun>(
      ResumedRun{std::move(directory), std::move(point), spec_of_run(run), !says_model(line)});
}

RunContents contents_of(const Training& t) {
  return {t.model, t.state, t.saved};
}

bool resume(const Training& t, ResumedRun& run, Show show) {
  const std::map<std::string, std::string> values = run.point.checkpoint.values;
  std::vector<std::string> anew = settle_best(t, run);
  const bool is_changed = values != run.point.checkpoint.values;
  const RunContents contents = contents_of(t);
  restore(contents, run.point);
  const TrainingState& state = *t.state;
  const std::string needed = what_is_needed(t, run);
  const bool goes_on = needed.empty() && state.next.epoch < t.spec.epochs;
  // Before config.ini is that of this command, in case it ends before its first checkpoint.
  if (is_changed && goes_on) write_values(run.point);
  for (const std::string& line : complete_files(contents, run.directory)) {
    std::cerr << "millrace: " << shown(line) << '\n';
  }
  const std::string name = shown(run.directory.path().native());
  if (!needed.empty()) {
    std::cout << name << ": has ended already: " << run.point.reason() << "; " << shown(needed)
              << '\n';
    return false;
  }
  if (!goes_on) {
    std::cout << name << ": all " << t.spec.epochs
              << " epochs are trained; for more of them add --epochs N\n";
    return false;
  }
  if (run.point.has_ended() && run.before.callbacks.restore_best) {
    anew.emplace_back(
        "the run ended with its best weights (--restore-best), and goes on from those");
  }
  if (show == Show::nothing) return true;
  std::cout << "goes on    behind step " << state.step << ", in epoch " << state.next.epoch + 1
            << '\n';
  for (const std::string& line : anew) std::cout << "callbacks  " << line << '\n';
  return true;
}

}  // namespace millrace::apps

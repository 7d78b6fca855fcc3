#include <millrace/training/resumed_run.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/make_callbacks.h>
#include <millrace/training/run_config.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace {
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
                            ", where the run resumes; give a later one"));
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
    lines = {concat(now.name, " changes with this ", other_loss, ": the best so far is reset")};
  } else {
    lines = begun_anew(t.spec.callbacks, now, checkpoint);
  }
  if (t.pruner != nullptr && !is_pruned(checkpoint)) {
    lines.emplace_back("pruning begins here: the best so far is reset");
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
  return concat("to resume, give --patience ", stop->wait + 1, " or more, or none");
}

}  // namespace

std::shared_ptr<ResumedRun> open_resumed(const std::filesystem::path& run, bool keeps_model,
                                         TrainSpec& spec) {
  RunDirectory directory(run, OldRun::resume, spec.run.keep_checkpoints);
  ResumePoint point = find_resume_point(directory);
  if (spec.pruning.kind && !is_pruned(point.checkpoint)) {
    begin_pruning(spec.pruning, point.step());
  }
  return std::make_shared<ResumedRun>(
      ResumedRun{std::move(directory), std::move(point), spec_of_run(run), keeps_model});
}

RunContents contents_of(const Training& t) {
  return {t.model, t.state, t.saved};
}

Resumption resume(const Training& t) {
  ResumedRun& run = *t.resumed;
  const std::map<std::string, std::string> values = run.point.checkpoint.values;
  Resumption result{.anew = settle_best(t, run)};
  const bool is_changed = values != run.point.checkpoint.values;
  const RunContents contents = contents_of(t);
  restore(contents, run.point);
  const TrainingState& state = *t.state;
  result.step = state.step;
  result.epoch = state.next.epoch + 1;
  const std::string needed = what_is_needed(t, run);
  if (!needed.empty()) {
    result.why_not = concat("has ended already: ", run.point.reason(), "; ", needed);
  } else if (state.next.epoch >= t.spec.epochs) {
    const std::uint32_t trained = state.next.epoch, asked = t.spec.epochs;
    result.why_not =
        concat(trained > asked ? concat(trained, " epochs are trained, more than --epochs ", asked)
               : trained == 1  ? std::string("its epoch is trained")
                               : concat("all ", trained, " epochs are trained"),
               "; for more of them add --epochs N, above ", trained);
  }
  // Before config.ini is that of this spec, in case it ends before its first checkpoint.
  if (is_changed && result.why_not.empty()) write_values(run.point);
  result.warnings = complete_files(contents, run.directory);
  if (run.point.has_ended() && run.before.callbacks.restore_best) {
    result.anew.emplace_back(
        "the run ended with its best weights (--restore-best), and resumes from those");
  }
  return result;
}

}  // namespace millrace

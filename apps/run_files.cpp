#include "apps/run_files.h"

#include "apps/lists.h"
#include "apps/run_recipe.h"

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/nn/average.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/make_callbacks.h>
#include <millrace/training/saved_model.h>

#include <iostream>
#include <map>
#include <set>
#include <vector>

namespace millrace::apps {
namespace {

/// The one whose order parameters have.
const nn::Model& model_of(const Training& t, bool is_unfrozen) {
  return is_unfrozen ? t.state->unfrozen->model() : t.model;
}

/// Of the model that is saved.
std::vector<float> parameters_of(const Training& t) {
  nn::Executor& executor = *t.state->executor;
  const nn::AverageScope averages(executor);
  std::vector<float> values(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(executor.model()))));
  executor.read(nn::Arena::parameters, values);
  return values;
}

/// What Keras calls the logs of an epoch.
std::map<std::string, double> logs_of(const EpochRecord& record) {
  std::map<std::string, double> logs(record.extra.begin(), record.extra.end());
  for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"}) {
    if (const auto value = record.value(name)) logs[name] = *value;
  }
  return logs;
}

/// The columns of the log of a run that goes on: those of its epochs, and what is measured now.
std::set<std::string> columns_of(const Training& t) {
  std::set<std::string> columns;
  for (const EpochRecord& past : t.state->history) {
    for (const auto& [name, value] : logs_of(past)) columns.insert(name);
  }
  if (columns.empty() || t.data.validation.size() == 0) return columns;
  for (const std::string& name : t.spec.callbacks.metrics) {
    columns.insert("val_" + name);
  }
  return columns;
}

/// Whether --loss means another one than before. The default may have got its name meanwhile.
bool means_other_loss(const Training& t, const TrainSpec& before) {
  return meant_loss(t.spec.loss, t.model) != meant_loss(before.loss, t.model);
}

/// Whether losses are computed otherwise than before.
bool has_other_loss(const Training& t, const TrainSpec& before) {
  return t.spec.gradient.l2 != before.gradient.l2 ||
         t.spec.label_smoothing != before.label_smoothing || means_other_loss(t, before);
}

/// What is told of the best so far must be comparable with what comes. A checkpoint of a program
/// that did not say what callbacks watched is told by the options that the run had. Returns whether
/// the checkpoint was changed: then it must be written before config.ini is that of this command,
/// in case it ends before its first checkpoint.
bool settle_best(const Training& t, const TrainSpec& before, Checkpoint& checkpoint) {
  const Monitor monitor = monitor_of(before.callbacks, t.data.validation.size() > 0);
  const bool was_silent = !watched(checkpoint);
  if (was_silent) set_watched(monitor, checkpoint);
  if (!has_other_loss(t, before) || !monitor.name.ends_with("loss")) return was_silent;
  forget_best(checkpoint);
  return true;
}

}  // namespace

RunFiles::RunFiles(const Training& training, RunDirectory& directory, TrainingProgress& progress)
    : training_(training), directory_(directory), progress_(progress) {
  const RunSpec& run = training.spec.run;
  if (run.events) events_.emplace(directory.events(), run.tensorboard_update);
  const std::filesystem::path& csv = run.csv_log;
  if (csv.empty()) return;
  csv_.emplace(csv, columns_of(training));
  for (const EpochRecord& past : training.state->history) csv_->write(past.epoch, logs_of(past));
}

Logger::Watchers RunFiles::watchers() {
  return {.on_step = [this](const StepRecord& record) { step(record); },
          .on_epoch = [this](const EpochRecord& record) { epoch(record); },
          .on_snapshot = [this](const Snapshot& taken,
                                const StepRecord& record) { snapshot(taken, record); }};
}

void RunFiles::step(const StepRecord& record) {
  progress_.step(record);
  if (events_) events_->step(record);
}

void RunFiles::epoch(const EpochRecord& record) {
  directory_.write_epoch(record);
  if (events_) events_->epoch(record);
  if (csv_) csv_->write(record.epoch, logs_of(record));
  progress_.epoch(record);
}

// The checkpoint first: if the machine dies in between, the run goes on from it and writes the
// models then.
void RunFiles::snapshot(const Snapshot& taken, const StepRecord& record) {
  const bool is_best = record.epoch != nullptr && record.epoch->is_best;
  if (taken.is_whole) directory_.checkpoints().write(taken.step, taken.checkpoint, is_best);
  if (record.epoch == nullptr && !taken.is_last) return;
  const nn::Model& model = model_of(training_, taken.is_unfrozen);
  const auto save = [&](const std::filesystem::path& file) {
    save_model(file, model, taken.parameters(), FlattenOrder::channels_last, taken.averages());
  };
  save(directory_.model_file());
  if (is_best) save(directory_.best_model_file());
}

void RunFiles::write_stopped() {
  collect_results(*training_.state);
  training_.state->drop_group();
  const TrainingState& state = *training_.state;
  directory_.rewrite_epochs(state.history);
  if (!training_.spec.run.checkpoints) return;
  Checkpoint checkpoint;
  save(state, training_.saved, checkpoint);
  directory_.checkpoints().write(state.step, checkpoint);
}

namespace {

/// A run that was killed may have written a checkpoint and not yet what belongs to it.
void complete_files(const Training& t, RunDirectory& directory) {
  const TrainingState& state = *t.state;
  directory.rewrite_epochs(state.history);
  const bool is_epoch_end = !state.history.empty() &&
                            state.history.back().global_step == state.step &&
                            state.next.epoch == state.history.back().epoch + 1;
  if (is_epoch_end) {
    save_model(directory.model_file(), state.executor->model(), parameters_of(t));
  }
  CheckpointFolder& checkpoints = directory.checkpoints();
  if (is_epoch_end && state.history.back().is_best) checkpoints.mark_best(state.step);
  const auto best_step = checkpoints.best();
  if (!best_step || *best_step > state.step) return;  // a later one is of what is trained again
  try {
    const Checkpoint best = read_checkpoint(checkpoints.best_file());
    const nn::Model& model = model_of(t, best.get<bool>("unfrozen"));
    const std::vector<nn::Parameter> parameters = nn::parameters(model);
    const auto values = [&](const char* name, std::int64_t elements) {
      return std::span<const float>(best.array(name, static_cast<std::size_t>(elements)));
    };
    save_model(directory.best_model_file(), model,
               values("parameters", nn::arena_elements(parameters)), FlattenOrder::channels_last,
               t.compile.average ? values(kAverage, nn::trainable_elements(parameters))
                                 : std::span<const float>());
  } catch (const Error& error) {
    std::cerr << "millrace: the best model stays as it is: " << shown(error.what()) << '\n';
  }
}

}  // namespace

bool resume(const Training& t, RunDirectory& directory, Show show) {
  const std::string run = directory.path().string();
  CheckpointFolder::Found found = directory.checkpoints().last_good();
  for (const std::string& damage : found.damaged) {
    std::cerr << "millrace: passed over: " << shown(damage) << '\n';
  }
  if (!found.entry) {
    throw Error(concat(run,
                       ": holds no checkpoint to go on from; to begin again, give the options "
                       "and --overwrite"));
  }
  TrainingState& state = *t.state;
  const TrainSpec before = spec_of_run(directory.path());
  const bool is_changed = settle_best(t, before, found.checkpoint);
  try {
    restore(state, t.saved, found.checkpoint);
  } catch (const Error& error) {
    throw Error(concat(found.entry->path.string(), ": ", error.what()));
  }
  const bool has_ended = found.checkpoint.get<bool>("finished");
  const auto reason = found.checkpoint.get<std::string>("reason");
  const CallbackSpec& callbacks = t.spec.callbacks;
  const Monitor monitor = monitor_of(callbacks, t.data.validation.size() > 0);
  std::vector<std::string> anew;
  if (has_other_loss(t, before) && monitor.name.ends_with("loss")) {
    anew = {concat(monitor.name, " is another with this ",
                   means_other_loss(t, before) ? "--loss" : "--l2 or --label-smoothing",
                   ": the best so far begins anew")};
  } else {
    anew = begun_anew(callbacks, monitor, found.checkpoint);
  }
  const bool goes_on = !has_ended && state.next.epoch < t.spec.epochs;
  if (is_changed && goes_on) write_checkpoint(found.entry->path, found.checkpoint);
  found.checkpoint = {};  // before the best one is read
  complete_files(t, directory);
  if (has_ended) {
    std::cout << shown(run) << ": has ended already: " << reason << '\n';
    return false;
  }
  if (goes_on) {
    if (show == Show::nothing) return true;
    std::cout << "goes on    behind step " << state.step << ", in epoch " << state.next.epoch + 1
              << '\n';
    for (const std::string& line : anew) std::cout << "callbacks  " << line << '\n';
    return true;
  }
  std::cout << shown(run) << ": all " << t.spec.epochs
            << " epochs are trained; for more of them add --epochs N\n";
  return false;
}

}  // namespace millrace::apps

#include <millrace/training/run_files.h>

#include <millrace/training/resume.h>
#include <millrace/training/saved_model.h>

#include <map>
#include <set>
#include <utility>

namespace millrace {
namespace {

/// What Keras calls the logs of an epoch.
std::map<std::string, double> logs_of(const EpochRecord& record) {
  std::map<std::string, double> logs(record.extra.begin(), record.extra.end());
  for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"}) {
    if (const auto value = record.value(name)) logs[name] = *value;
  }
  return logs;
}

/// The columns of the log of a run that goes on: those of its epochs, and what is measured now.
std::set<std::string> columns_of(const std::vector<EpochRecord>& history,
                                 const std::vector<std::string>& measures) {
  std::set<std::string> columns;
  for (const EpochRecord& past : history) {
    for (const auto& [name, value] : logs_of(past)) columns.insert(name);
  }
  if (!columns.empty()) columns.insert(measures.begin(), measures.end());
  return columns;
}

}  // namespace

RunFiles::RunFiles(RunDirectory& directory, RunContents contents, const RunFileOptions& options)
    : directory_(directory), contents_(std::move(contents)), checkpoints_(options.checkpoints) {
  if (options.events) events_.emplace(directory.events(), options.event_steps);
  if (options.csv_log.empty()) return;
  const std::vector<EpochRecord>& history = contents_.state->history;
  csv_.emplace(options.csv_log, columns_of(history, options.measures));
  for (const EpochRecord& past : history) csv_->write(past.epoch, logs_of(past));
}

Logger::Watchers RunFiles::watchers() {
  return {.on_step = [this](const StepRecord& record) { step(record); },
          .on_epoch = [this](const EpochRecord& record) { epoch(record); },
          .on_snapshot = [this](const Snapshot& taken,
                                const StepRecord& record) { snapshot(taken, record); }};
}

void RunFiles::step(const StepRecord& record) {
  if (events_) events_->step(record);
}

void RunFiles::epoch(const EpochRecord& record) {
  directory_.write_epoch(record);
  if (events_) events_->epoch(record);
  if (csv_) csv_->write(record.epoch, logs_of(record));
}

// The checkpoint first: if the machine dies in between, the run goes on from it and writes the
// models then.
void RunFiles::snapshot(const Snapshot& taken, const StepRecord& record) {
  const bool is_best = record.epoch != nullptr && record.epoch->is_best;
  if (taken.is_whole) directory_.checkpoints().write(taken.step, taken.checkpoint, is_best);
  if (record.epoch == nullptr && !taken.is_last) return;
  const nn::Model& model = model_of(contents_, taken.is_unfrozen);
  const auto save = [&](const std::filesystem::path& file) {
    save_model(file, model, taken.parameters(), FlattenOrder::channels_last, taken.averages());
  };
  save(directory_.model_file());
  if (is_best) save(directory_.best_model_file());
}

void RunFiles::write_stopped() {
  collect_results(*contents_.state);
  contents_.state->drop_group();
  const TrainingState& state = *contents_.state;
  directory_.rewrite_epochs(state.history);
  if (!checkpoints_) return;
  Checkpoint checkpoint;
  save(state, contents_.saved, checkpoint);
  directory_.checkpoints().write(state.step, checkpoint);
}

}  // namespace millrace

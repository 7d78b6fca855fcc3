#include "apps/run_files.h"

#include <millrace/core/error.h>
#include <millrace/nodes/saved_model.h>

#include <iostream>

namespace millrace::apps {

RunFiles::RunFiles(const Training& training, RunDirectory& directory, TrainingProgress& progress)
    : training_(training), directory_(directory), progress_(progress) {
  const EventOptions& events = training.options.events;
  if (!events.no_events) events_.emplace(directory.events(), events.tensorboard_update);
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
  if (record.training.samples == 0) throw Error("no training sample could be read");
  directory_.write_epoch(record);
  if (events_) events_->epoch(record);
  progress_.epoch(record);
}

// The checkpoint first: if the machine dies in between, the run goes on from it and writes the
// models then.
void RunFiles::snapshot(const Snapshot& taken, const StepRecord& record) {
  const bool is_best = record.epoch != nullptr && record.epoch->is_best;
  if (taken.is_whole) directory_.checkpoints().write(taken.step, taken.checkpoint, is_best);
  if (record.epoch == nullptr) return;
  save_model(directory_.model_file(), training_.model, taken.parameters());
  if (is_best) save_model(directory_.best_model_file(), training_.model, taken.parameters());
}

void RunFiles::write_stopped() {
  const TrainingState& state = *training_.state;
  directory_.rewrite_epochs(state.history);
  if (training_.options.callbacks.no_checkpoints) return;
  Checkpoint checkpoint;
  save(state, training_.saved, checkpoint);
  directory_.checkpoints().write(state.step, checkpoint);
}

void resume(const Training& training, RunDirectory& directory) {
  const std::string run = directory.path().string();
  const CheckpointFolder::Found found = directory.checkpoints().last_good();
  for (const std::string& damage : found.damaged) {
    std::cerr << "millrace: passed over: " << damage << '\n';
  }
  if (!found.entry) {
    throw Error(
        concat(run, ": holds no checkpoint that can be continued; begin again: --overwrite"));
  }
  TrainingState& state = *training.state;
  try {
    restore(state, training.saved, found.checkpoint);
  } catch (const Error& error) {
    throw Error(concat(found.entry->path.string(), ": ", error.what()));
  }
  if (found.checkpoint.get<bool>("finished")) {
    throw Error(concat(run, ": has ended already: ", found.checkpoint.get<std::string>("reason")));
  }
  if (state.next.epoch >= training.options.epochs) {
    throw Error(concat(run, ": all ", training.options.epochs,
                       " epochs are trained; for more of them add --epochs N"));
  }
  directory.rewrite_epochs(state.history);
}

}  // namespace millrace::apps

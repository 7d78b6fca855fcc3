#include <millrace/training/resume.h>

#include <millrace/core/error.h>
#include <millrace/core/shell_text.h>
#include <millrace/nn/average.h>
#include <millrace/nn/model_json.h>
#include <millrace/training/saved_model.h>

#include <utility>

namespace millrace {
namespace {

/// Of the model that is saved.
void save_best(const RunContents& contents, RunDirectory& directory) {
  const Checkpoint best = read_checkpoint(directory.checkpoints().best_file());
  const nn::Model& model = model_of(contents, best.get<bool>("unfrozen"));
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  const auto values = [&](const char* name, std::int64_t elements) {
    return std::span<const float>(best.array(name, static_cast<std::size_t>(elements)));
  };
  save_model(directory.best_model_file(), model,
             values("parameters", nn::arena_elements(parameters)), FlattenOrder::channels_last,
             contents.state->executor->keeps_average()
                 ? values(kAverage, nn::trainable_elements(parameters))
                 : std::span<const float>());
}

}  // namespace

nn::Model ResumePoint::model() const {
  try {
    return nn::model_from_json(checkpoint.get<std::string>("model"));
  } catch (const Error& error) {
    throw Error(concat(file.string(), ": ", error.what()));
  }
}

ResumePoint find_resume_point(const RunDirectory& directory) {
  CheckpointFolder::Found found = directory.checkpoints().last_good();
  if (!found.entry) {
    std::string damaged;
    for (const std::string& damage : found.damaged) damaged += concat("; ", damage);
    throw Error(concat(directory.path().string(),
                       ": holds no checkpoint to resume from; to start over: millrace train "
                       "--recipe ",
                       shell_quoted(directory.config_file().native()), " --run-dir ",
                       shell_quoted(directory.path().native()), " --overwrite", damaged));
  }
  return {std::move(found.entry->path), std::move(found.checkpoint), std::move(found.damaged)};
}

namespace {

Checkpoint whole(const ResumePoint& point) {
  Checkpoint checkpoint = read_checkpoint(point.file);
  checkpoint.values = point.checkpoint.values;
  return checkpoint;
}

}  // namespace

void check_same(const RunIdentity& identity, const ResumePoint& point) {
  try {
    identity.check(point.checkpoint);
  } catch (const Error& error) {
    throw Error(concat(point.file.string(), ": ", error.what()));
  }
}

void write_values(const ResumePoint& point) {
  write_checkpoint(point.file, whole(point));
}

void restore(const RunContents& contents, const ResumePoint& point) {
  try {
    restore(*contents.state, contents.saved, whole(point));
  } catch (const Error& error) {
    throw Error(concat(point.file.string(), ": ", error.what()));
  }
}

std::vector<std::string> complete_files(const RunContents& contents, RunDirectory& directory) {
  const TrainingState& state = *contents.state;
  directory.rewrite_epochs(state.history);
  const bool is_epoch_end = !state.history.empty() &&
                            state.history.back().global_step == state.step &&
                            state.next.epoch == state.history.back().epoch + 1;
  if (is_epoch_end) {
    save_model(directory.model_file(), *state.executor);
  }
  CheckpointFolder& checkpoints = directory.checkpoints();
  if (is_epoch_end && state.history.back().is_best) checkpoints.mark_best(state.step);
  const auto best_step = checkpoints.best();
  // A later one is of what is trained again.
  if (!best_step || *best_step > state.step) return {};
  try {
    save_best(contents, directory);
  } catch (const Error& error) {
    return {concat("the best model is unchanged: ", error.what())};
  }
  return {};
}

const nn::Model& model_of(const RunContents& contents, bool is_unfrozen) {
  return is_unfrozen ? contents.state->unfrozen->model() : contents.model;
}

}  // namespace millrace

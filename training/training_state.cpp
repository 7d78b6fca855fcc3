#include <millrace/training/training_state.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace millrace {
namespace {

/// The words of checkpoints, which stay what they were when Adam was all there was.
const char* name_of(nn::Arena arena) {
  switch (arena) {
    case nn::Arena::parameters: return "parameters";
    case nn::Arena::gradients: return "gradients";
    case nn::Arena::state0: return "first_moment";
    case nn::Arena::state1: return "second_moment";
    case nn::Arena::masks: return "masks";
    case nn::Arena::average: break;
  }
  return kAverage;
}

std::size_t elements_of(const nn::Model& model, nn::Arena arena) {
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  return static_cast<std::size_t>(arena == nn::Arena::parameters
                                      ? nn::arena_elements(parameters)
                                      : nn::trainable_elements(parameters));
}

void save_position(const ReaderPosition& next, Checkpoint& checkpoint) {
  checkpoint.set("next.phase", std::int64_t{next.phase == Phase::training ? 0 : 1});
  checkpoint.set("next.epoch", std::int64_t{next.epoch});
  checkpoint.set("next.step", std::int64_t{next.step});
  checkpoint.set("next.pass", std::int64_t{next.pass});
  checkpoint.set("next.position", std::int64_t{next.position});
}

ReaderPosition position_of(const Checkpoint& checkpoint) {
  const auto number = [&](const char* name) {
    return static_cast<std::uint32_t>(checkpoint.get<std::int64_t>(name));
  };
  return {.phase = number("next.phase") == 0 ? Phase::training : Phase::validation,
          .epoch = number("next.epoch"),
          .step = number("next.step"),
          .pass = number("next.pass"),
          .position = number("next.position")};
}

/// What a checkpoint holds beside the executor's arrays.
struct Progress {
  explicit Progress(const Checkpoint& checkpoint)
      : is_unfrozen(checkpoint.get<bool>("unfrozen")),
        step(checkpoint.get<std::uint64_t>("step")),
        update(checkpoint.get<std::uint64_t>("update")),
        rate_factor(checkpoint.get<double>("rate_factor")),
        rate(checkpoint.get<double>("rate")),
        next(position_of(checkpoint)),
        epoch(epoch_from_text(checkpoint.get<std::string>("epoch"))) {
    const auto lines = checkpoint.get<std::string>("history");
    for (std::size_t begin = 0; begin < lines.size();) {
      const std::size_t end = lines.find('\n', begin);
      history.push_back(epoch_from_text(lines.substr(begin, end - begin)));
      begin = end == std::string::npos ? lines.size() : end + 1;
    }
    if (!checkpoint.has("loss_scale")) return;
    loss_scale = {.scale = checkpoint.get<double>("loss_scale"),
                  .good_steps = checkpoint.get<std::int64_t>("loss_scale.good_steps"),
                  .skipped = checkpoint.get<std::int64_t>("loss_scale.skipped")};
  }

  bool is_unfrozen;
  std::uint64_t step, update;
  double rate_factor, rate;
  ReaderPosition next;
  EpochRecord epoch;
  std::vector<EpochRecord> history;
  std::optional<nn::LossScaleState> loss_scale;
};

}  // namespace

TrainingState::TrainingState(std::shared_ptr<nn::Executor> first, std::vector<nn::Arena> arenas)
    : executor(std::move(first)), arenas_(std::move(arenas)) {}

void TrainingState::finish(std::string reason) {
  if (finished_->exchange(true)) return;
  reason_ = std::move(reason);
}

std::size_t TrainingState::elements(nn::Arena arena) const {
  return elements_of(executor->model(), arena);
}

void TrainingState::enter_averages() {
  if (!averages_in_place_) averages_in_place_.emplace(*executor);
}

void TrainingState::drop_group() {
  leave_averages();
  executor->drop_group();
}

std::vector<float> TrainingState::weights() const {
  leave_averages();
  return weights_in_place();
}

std::vector<float> TrainingState::weights_in_place() const {
  return reordered(executor->read(nn::Arena::parameters), executor->model(),
                   thawed(executor->model()));
}

void TrainingState::set_weights(std::span<const float> weights) {
  leave_averages();
  const nn::Model& model = executor->model();
  executor->write(nn::Arena::parameters, reordered(weights, thawed(model), model));
}

std::vector<float> TrainingState::masks() const {
  if (std::find(arenas_.begin(), arenas_.end(), nn::Arena::masks) == arenas_.end()) return {};
  std::vector<float> values(elements(nn::Arena::parameters), 1.0F);  // frozen weights are kept
  executor->read(nn::Arena::masks, std::span(values).first(elements(nn::Arena::masks)));
  return reordered(values, executor->model(), thawed(executor->model()));
}

void TrainingState::set_masks(std::span<const float> masks) {
  if (masks.empty()) return;
  const nn::Model& model = executor->model();
  const std::vector<float> values = reordered(masks, thawed(model), model);
  executor->write(nn::Arena::masks, std::span(values).first(elements(nn::Arena::masks)));
}

std::vector<float> TrainingState::evaluated_weights() const {
  const nn::AverageScope scope(*executor);
  return weights_in_place();
}

std::vector<float> TrainingState::averages() const {
  return executor->keeps_average() ? evaluated_weights() : std::vector<float>();
}

void TrainingState::set_averages(std::span<const float> averages) {
  if (averages.empty()) return;
  leave_averages();
  const nn::Model& model = executor->model();
  const std::vector<float> values = reordered(averages, thawed(model), model);
  executor->write(nn::Arena::average, std::span(values).first(elements(nn::Arena::average)));
}

void TrainingState::unfreeze() {
  if (unfrozen == nullptr || is_unfrozen_) return;
  const std::vector<float> kept = weights();
  const std::vector<float> kept_averages = averages();
  const std::vector<float> kept_masks = masks();
  const bool masks_updates = executor->masks_updates();
  executor->release();
  executor = unfrozen;
  executor->allocate();
  set_weights(kept);
  set_averages(kept_averages);
  set_masks(kept_masks);
  executor->mask_updates(masks_updates);
  update = 0;
  is_unfrozen_ = true;
}

void TrainingState::save(Checkpoint& checkpoint) const {
  leave_averages();
  MILLRACE_CHECK(!executor->is_swapped(), "a state is saved outside of an AverageScope");
  checkpoint.set("step", std::int64_t(step));
  checkpoint.set("update", std::int64_t(update));
  checkpoint.set("rate_factor", rate_factor);
  checkpoint.set("rate", rate);
  checkpoint.set("unfrozen", is_unfrozen_);
  if (const auto scale = executor->loss_scale()) {
    checkpoint.set("loss_scale", scale->scale);
    checkpoint.set("loss_scale.good_steps", scale->good_steps);
    checkpoint.set("loss_scale.skipped", scale->skipped);
  }
  save_position(next, checkpoint);
  EpochRecord under_way = epoch;
  under_way.validation.reset();
  checkpoint.set("epoch", to_text(under_way));
  checkpoint.set("finished", is_finished());
  checkpoint.set("reason", reason_);
  std::string lines;
  for (const EpochRecord& record : history) lines += to_text(record) + '\n';
  checkpoint.set("history", lines);
  for (const nn::Arena arena : arenas_) {
    std::vector<float>& values = checkpoint.arrays[name_of(arena)];
    values.resize(elements(arena));
    executor->read(arena, values);
  }
}

void TrainingState::restore(const Checkpoint& checkpoint) {
  const Progress found(checkpoint);
  if (found.is_unfrozen ? !is_unfrozen_ && unfrozen == nullptr : is_unfrozen_) {
    throw Error(concat("was saved ", found.is_unfrozen ? "after" : "before",
                       " layers were unfrozen, unlike the model that resumes"));
  }
  if (found.loss_scale.has_value() != executor->loss_scale().has_value()) {
    throw Error(concat("was saved ", found.loss_scale ? "with" : "without",
                       " a loss scale: resume in the precision that it was trained in"));
  }
  const nn::Model& model =
      found.is_unfrozen && !is_unfrozen_ ? unfrozen->model() : executor->model();
  const auto are_new_masks = [&](nn::Arena arena) {
    return arena == nn::Arena::masks && checkpoint.arrays.count(name_of(arena)) == 0;
  };
  for (const nn::Arena arena : arenas_) {
    const auto values = checkpoint.arrays.find(name_of(arena));
    if (are_new_masks(arena)) continue;
    if (values == checkpoint.arrays.end() || values->second.size() != elements_of(model, arena)) {
      throw Error(concat("holds no ", name_of(arena), " of this model"));
    }
  }

  leave_averages();
  if (found.is_unfrozen) unfreeze();
  step = found.step;
  update = found.update;
  rate_factor = found.rate_factor;
  rate = found.rate;
  next = found.next;
  epoch = found.epoch;
  validation_holes = 0;
  history = found.history;
  for (const nn::Arena arena : arenas_) {
    if (are_new_masks(arena))
      executor->write(arena, std::vector<float>(elements(arena), 1.0F));
    else
      executor->write(arena, checkpoint.arrays.at(name_of(arena)));
  }
  if (found.loss_scale) executor->set_loss_scale(*found.loss_scale);
}

Bytes TrainingState::array_bytes() const {
  const nn::Model& largest = unfrozen == nullptr ? executor->model() : unfrozen->model();
  std::uint64_t sum = 0;
  for (const nn::Arena arena : arenas_) sum += elements_of(largest, arena) * sizeof(float);
  return Bytes{sum};
}

std::vector<float> reordered(std::span<const float> values, const nn::Model& from,
                             const nn::Model& to) {
  const std::vector<nn::Parameter> sources = nn::parameters(from), targets = nn::parameters(to);
  std::vector<float> result(static_cast<std::size_t>(nn::arena_elements(targets)));
  for (const nn::Parameter& target : targets) {
    for (const nn::Parameter& source : sources) {
      if (source.name != target.name) continue;
      std::copy_n(values.begin() + source.offset, source.shape.elements(),
                  result.begin() + target.offset);
    }
  }
  return result;
}

nn::Model thawed(nn::Model model) {
  for (nn::Layer& layer : model.layers) layer.trainable = true;
  return model;
}

std::vector<nn::Arena> arenas_of(const nn::CompileOptions& options) {
  const int states = nn::state_arenas(options.optimizer);
  std::vector<nn::Arena> arenas{nn::Arena::parameters};
  for (int i = 0; i < states; ++i) arenas.push_back(nn::state_arena(i));
  if (options.masks) arenas.push_back(nn::Arena::masks);
  if (options.average) arenas.push_back(nn::Arena::average);  // behind the parameters
  return arenas;
}

}  // namespace millrace

#include "apps/training_pipeline.h"

#include "apps/gpu.h"
#include "apps/progress.h"
#include "apps/training_memory.h"

#include <millrace/nn/initialize.h>
#include <millrace/training/prune_step.h>
#include <millrace/training/take_snapshot.h>
#include <millrace/training/train_step.h>

#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

/// Weights as they leave the engine: offsets and gaps included.
std::size_t weight_elements(const nn::Model& model) {
  return static_cast<std::size_t>(nn::arena_elements(nn::parameters(model)));
}

}  // namespace

Pipeline compose_training(const Training& t, const std::filesystem::path& trace,
                          Logger::Watchers watchers) {
  const TrainSpec& o = t.spec;
  Pipeline p({.name = "train",
              .budget = o.machine.memory_budget.value(),
              .threads = o.machine.threads,
              .trace = trace,
              .watch = t.watch,
              .stall = stall_watch(o.machine.stall_timeout.count())});
  charge_model(p, *t.engine, model_memory(t));
  if (t.state->unfrozen != nullptr) {
    p.charge("weights on the move", 2 + (t.compile.masks ? 1 : 0) + (t.compile.average ? 1 : 0),
             Bytes{weight_elements(t.model) * sizeof(float)});
  }
  if (!trace.empty() && !t.engine->shares_host_memory() && o.machine.profile) {
    p.charge("record of the GPU's work", 1, GpuRecording::bytes());
  }
  Bytes kept;
  for (const auto& callback : t.callbacks) kept += callback->array_bytes();
  if (kept.count > 0) p.charge("best weights", 3, kept);  // kept, and two copies on the way
  if (t.pruner != nullptr) p.charge("pruning", 1, t.pruner->scratch(t.compile.average.has_value()));

  auto inputs = add_upload(p, t.feed->add(p, FeedStart::of(*t.state)), t.feed->upload());
  const bool checkpoints = o.run.checkpoints;
  auto snapshots = p.pool<Snapshot>("snapshot", 1, SnapshotFactory{t.state, t.saved, checkpoints});
  const auto rate = [schedule = o.schedule](double base, std::uint64_t step) {
    return nn::learning_rate(schedule, base, step - 1);
  };

  // One thread, one item at a time, stage after stage.
  TrainStep step(t.state, rate);
  if (o.model.unfreeze_at > 0) {
    step.unfreeze_at(o.model.unfreeze_at, o.model.unfreeze_factor);
  }
  step.metrics(o.callbacks.metrics, t.data.validation.size(), o.batch);
  step.report_every(o.machine.report_every, o.run.checkpoint_every);
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, std::move(step));
  if (t.pruner != nullptr) {
    steps = p.then(steps, {.name = "prune", .on = On::engine}, PruneStep(t.state, t.pruner));
  }
  auto decided =
      p.then(steps, {.name = "callbacks", .on = On::engine}, Decide(t.state, t.callbacks));
  auto copied = p.then(decided, {.name = "snapshot", .on = On::engine},
                       TakeSnapshot(t.state, t.saved, snapshots,
                                    {.whole = checkpoints,
                                     .every_steps = checkpoints ? o.run.checkpoint_every : 0}));
  p.sink(copied, {.name = "log", .on = On::blocking}, Logger(std::move(watchers)));
  return p;
}

void allocate(const Training& t) {
  t.state->executor->allocate();
  std::vector<float> weights(weight_elements(t.model));
  nn::initialize(t.model, t.spec.seed, weights);
  if (t.pretrained != nullptr) t.pretrained->load(weights);
  t.state->executor->write(nn::Arena::parameters, weights);
}

}  // namespace millrace::apps

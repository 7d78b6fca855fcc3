#include <millrace/training/compose_training.h>

#include <millrace/nn/initialize.h>
#include <millrace/training/prune_step.h>
#include <millrace/training/run_memory.h>
#include <millrace/training/streamed_data.h>
#include <millrace/training/take_snapshot.h>
#include <millrace/training/train_step.h>

#include <utility>
#include <vector>

namespace millrace {
namespace {

/// Weights as they leave the engine: offsets and gaps included.
std::size_t weight_elements(const nn::Model& model) {
  return static_cast<std::size_t>(nn::arena_elements(nn::parameters(model)));
}

/// What training takes of the budget besides its batches.
void charge_training(Pipeline& p, const Training& t) {
  charge_model(p, *t.engine, model_memory(t));
  if (t.state->unfrozen != nullptr) {
    p.charge("weights on the move", 2 + (t.compile.masks ? 1 : 0) + (t.compile.average ? 1 : 0),
             Bytes{weight_elements(t.model) * sizeof(float)});
  }
  Bytes kept;
  for (const auto& callback : t.callbacks) kept += callback->array_bytes();
  if (kept.count > 0) p.charge("best weights", 3, kept);  // kept, and two copies on the way
  if (t.pruner != nullptr) p.charge("pruning", 1, t.pruner->scratch(t.compile.average.has_value()));
}

/// One thread, one item at a time, stage after stage.
void add_steps(Pipeline& p, Stream<Lease<DeviceBatch>> inputs, const Training& t,
               Logger::Watchers watchers) {
  const TrainSpec& o = t.spec;
  const bool checkpoints = o.run.checkpoints;
  auto snapshots = p.pool<Snapshot>("snapshot", 1, SnapshotFactory{t.state, t.saved, checkpoints});
  TrainStep step(t.state, [schedule = o.schedule](double base, std::uint64_t at) {
    return nn::learning_rate(schedule, base, at - 1);
  });
  if (o.model.unfreeze_at > 0) {
    step.unfreeze_at(o.model.unfreeze_at, o.model.unfreeze_factor);
  }
  const std::uint32_t validated =
      t.data.stream != nullptr ? t.data.stream->facts.validation_samples : t.data.validation.size();
  step.metrics(o.callbacks.metrics, validated, o.batch);
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
}

}  // namespace

void train_on(Pipeline& p, Stream<Lease<HostBatch>> batches, const Training& t,
              Logger::Watchers watchers) {
  charge_training(p, t);
  add_steps(p, add_upload(p, std::move(batches), t.feed_now().upload()), t, std::move(watchers));
}

Pipeline compose_training(const Training& t, const std::filesystem::path& trace,
                          Logger::Watchers watchers) {
  return compose_training(t, t.feed_now(), trace, std::move(watchers));
}

Pipeline compose_training(const Training& t, const Feed& feed, const std::filesystem::path& trace,
                          Logger::Watchers watchers) {
  const TrainSpec& o = t.spec;
  Pipeline p({.name = "train",
              .budget = o.machine.memory_budget.value(),
              .threads = o.machine.threads,
              .trace = trace,
              .watch = t.stages,
              .stall = t.stall});
  charge_training(p, t);
  if (!trace.empty() && t.recording.count > 0) {
    p.charge("record of the GPU's work", 1, t.recording);
  }
  add_steps(p, add_upload(p, feed.add(p, FeedStart::of(*t.state)), feed.upload()), t,
            std::move(watchers));
  return p;
}

void allocate(const Training& t) {
  t.state->executor->allocate();
  std::vector<float> weights(weight_elements(t.model));
  nn::initialize(t.model, t.spec.seed, weights);
  if (t.pretrained != nullptr) t.pretrained->load(weights);
  t.state->executor->write(nn::Arena::parameters, weights);
}

}  // namespace millrace

#include "apps/training_pipeline.h"

#include "apps/choose.h"
#include "apps/find_model.h"
#include "apps/lists.h"
#include "apps/machine.h"
#include "apps/run_identity.h"

#include <millrace/nn/initialize.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/class_weights.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/prune_step.h>
#include <millrace/nodes/standardize.h>
#include <millrace/nodes/take_snapshot.h>
#include <millrace/nodes/train_step.h>

#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

OnError bad_image_policy(const TrainOptions& o) {
  if (o.on_bad_image == "fail") return fail();
  return o.bad_image_limit == 0 ? skip() : skip(o.bad_image_limit);
}

/// Weights as they leave the engine: offsets and gaps included.
std::size_t weight_elements(const nn::Model& model) {
  return static_cast<std::size_t>(nn::arena_elements(nn::parameters(model)));
}

}  // namespace

Training prepare_training(TrainOptions options, TrainingData data, const Watch& watch) {
  Training t;
  t.data = std::move(data);
  const Dataset& training = *t.data.training.dataset;
  choose(options, training);
  t.model = make_model(options, training);
  if (t.model.input.rank() != 3 && !augment_options(options.augmentation).is_identity()) {
    throw UsageError(
        "train: augmentation changes pictures, and DATA holds rows of numbers; leave its options "
        "out");
  }
  const Bytes budget = parse_bytes(options.memory_budget);
  (void)class_weights(options.labels.class_weight, t.data.training);  // before anything takes long
  fit_preprocessing(options.preprocessing, t.data.training, t.model,
                    {.on_bad_image = bad_image_policy(options),
                     .decoder = decoder_options(budget, options.threads),
                     .threads = options.threads,
                     .budget = budget,
                     .watch = watch});
  if (options.compute_threads == 0) {
    options.compute_threads = compute_threads_for(t.model, options.batch);
  }
  t.pretrained = open_weights(options.transfer, t.model);
  t.engine = engine_for(options.device, options.compute_threads);
  t.options = std::move(options);
  const TrainOptions& o = t.options;
  const DirectoryReader reader = make_reader(t);
  const std::uint64_t steps = std::uint64_t{reader.training_steps()} * o.epochs;
  choose(t.options.schedule, steps);
  choose(t.options.pruning, steps);
  t.compile = {.batch = o.batch,
               .other_batches = reader.short_batches(),
               .label_smoothing = o.schedule.label_smoothing,
               .optimizer = optimizer_options(o),
               .gradient = gradient_of(o.schedule),
               .masks = o.pruning.is_on(),
               .seed = o.seed};
  t.state =
      std::make_shared<TrainingState>(t.engine->compile(t.model, t.compile), arenas_of(t.compile));
  if (o.transfer.unfreeze_at > 0) {
    t.state->unfrozen = t.engine->compile(thawed(t.model), t.compile);
  }
  t.callbacks = make_callbacks(o.callbacks, t.data.validation.size() > 0, t.model);
  t.saved.push_back(std::make_shared<RunIdentity>(o, t.data, t.model));
  if (auto pruning = prune_options(o.pruning, o.augmentation.keras_compat)) {
    t.pruner = std::make_shared<Pruner>(t.model, std::move(*pruning));
    t.saved.push_back(t.pruner);
  }
  t.saved.insert(t.saved.end(), t.callbacks.begin(), t.callbacks.end());
  return t;
}

DirectoryReader make_reader(const Training& t) {
  return DirectoryReader(
      t.data.training, t.data.validation,
      {.batch = t.options.batch,
       .epochs = t.options.epochs,
       .steps_per_epoch = t.options.steps_per_epoch,
       .limit_batches = t.options.limit_batches,
       .seed = t.options.seed,
       .shuffle = !t.options.no_shuffle,
       .ticket_samples = ticket_samples(t.model.input),
       .start = t.state != nullptr ? t.state->next : ReaderPosition{},
       .finished = t.state != nullptr ? t.state->finished() : nullptr,
       .class_weights = class_weights(t.options.labels.class_weight, t.data.training)});
}

DeviceBatchFactory device_batches(const Training& t) {
  const ClassMode mode = class_mode_for(t.options.labels, t.model);
  return {.engine = t.engine,
          .sample = t.model.input,
          .dtype = nn::host_dtype(t.model.preprocessing, t.data.training.dataset->dtype()),
          .capacity = t.options.batch,
          .target_width = target_width(mode, output_width(t.model)),
          .learns_input = mode == ClassMode::input};
}

Stream<Lease<HostBatch>> add_loading(Pipeline& p, const Training& t) {
  const TrainOptions& o = t.options;
  const SampleSet& training = t.data.training;
  const SampleSet& validation = t.data.validation;
  DirectoryReader reader = make_reader(t);

  p.charge("index", 1, training.dataset->index_bytes());
  if (validation.size() > 0 && validation.dataset != training.dataset) {
    p.charge("validation index", 1, validation.dataset->index_bytes());
  }
  p.charge("order of samples", 1, reader.bytes());
  auto host = p.pool<HostBatch>(
      "host batches", o.slots,
      HostBatchFactory{t.model.input, device_batches(t).dtype, o.batch,
                       [engine = t.engine](Bytes size) { return engine->host_buffer(size); },
                       device_batches(t).target_width});

  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(
      tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = bad_image_policy(o)},
      DecodeInto(training.dataset, validation.dataset,
                 filter_from_name(t.model.preprocessing.filter),
                 decoder_options(parse_bytes(o.memory_budget), o.threads)));
  auto augmented = p.then(pixels, {.name = "augment", .concurrency = kAllThreads},
                          Augment(augment_options(o.augmentation), o.seed, t.model.input));
  if (nn::needs_whole_samples(t.model.preprocessing)) {
    charge_whitening(p, t.model.preprocessing);
    augmented = p.then(augmented, {.name = "standardize", .concurrency = kAllThreads},
                       Standardize(t.model.preprocessing, t.model.input));
  }
  return p.then(p.gather(augmented), {.name = "batch"}, Batcher{});
}

namespace {

/// Of the executor that takes more, where another one takes over: never both at a time.
void charge_model(Pipeline& p, const Training& t) {
  std::vector<nn::MemoryLine> lines = t.state->executor->memory();
  if (t.state->unfrozen != nullptr) {
    const std::vector<nn::MemoryLine> later = t.state->unfrozen->memory();
    if (nn::total(later) > nn::total(lines)) lines = later;
    p.charge("weights on the move", t.compile.masks ? 3 : 2,
             Bytes{weight_elements(t.model) * sizeof(float)});
  }
  for (const nn::MemoryLine& line : lines) p.charge("model: " + line.name, 1, line.bytes);
}

}  // namespace

Pipeline compose_training(const Training& t, const std::filesystem::path& trace,
                          Logger::Watchers watchers) {
  const TrainOptions& o = t.options;
  Pipeline p({.name = "train",
              .budget = parse_bytes(o.memory_budget),
              .threads = o.threads,
              .trace = trace});
  charge_model(p, t);
  Bytes kept;
  for (const auto& callback : t.callbacks) kept += callback->array_bytes();
  if (kept.count > 0) p.charge("best weights", 3, kept);  // kept, and two copies on the way
  if (t.pruner != nullptr) p.charge("pruning", 1, t.pruner->scratch());
  auto batches = add_loading(p, t);

  auto device = p.pool<DeviceBatch>("device batches", 2, device_batches(t));
  const bool checkpoints = !o.callbacks.no_checkpoints;
  auto snapshots = p.pool<Snapshot>("snapshot", 1, SnapshotFactory{t.state, t.saved, checkpoints});
  const auto rate = [base = *o.learning_rate, schedule = schedule_of(o.schedule)](
                        std::uint64_t step) { return nn::learning_rate(schedule, base, step - 1); };

  auto on_device = p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"},
                          CopyToDevice(t.engine));
  auto inputs = p.then(on_device, {.name = "cast"}, Cast(t.model.preprocessing, t.model.input));
  // One thread, one item at a time, stage after stage.
  TrainStep step(t.state, rate);
  if (o.transfer.unfreeze_at > 0) {
    step.unfreeze_at(o.transfer.unfreeze_at - 1, o.transfer.unfreeze_factor);
  }
  step.metrics(words_of(o.callbacks.metrics), t.data.validation.size(), o.batch);
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, std::move(step));
  if (t.pruner != nullptr) {
    steps = p.then(steps, {.name = "prune", .on = On::engine}, PruneStep(t.state, t.pruner));
  }
  auto decided =
      p.then(steps, {.name = "callbacks", .on = On::engine}, Decide(t.state, t.callbacks));
  auto copied = p.then(
      decided, {.name = "snapshot", .on = On::engine},
      TakeSnapshot(
          t.state, t.saved, snapshots,
          {.whole = checkpoints, .every_steps = checkpoints ? o.callbacks.checkpoint_every : 0}));
  p.sink(copied, {.name = "log", .on = On::blocking}, Logger(std::move(watchers)));
  return p;
}

void allocate(const Training& t) {
  t.state->executor->allocate();
  std::vector<float> weights(weight_elements(t.model));
  nn::initialize(t.model, t.options.seed, weights);
  if (t.pretrained != nullptr) t.pretrained->load(weights);
  t.state->executor->write(nn::Arena::parameters, weights);
}

}  // namespace millrace::apps

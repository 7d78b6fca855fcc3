#include "apps/training_pipeline.h"

#include "apps/choose.h"
#include "apps/engine_choice.h"
#include "apps/find_model.h"
#include "apps/gpu.h"
#include "apps/lists.h"
#include "apps/progress.h"
#include "apps/resident.h"
#include "apps/run_identity.h"

#include <millrace/core/plural.h>
#include <millrace/io/watch.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/class_weights.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/prune_step.h>
#include <millrace/nodes/replay.h>
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

/// To ask a device for results is to wait for it; this often it does not show.
constexpr std::int64_t kStepsBetweenResults = 50;

void check_replay(const TrainOptions& o, std::uint32_t steps) {
  if (o.replay <= steps) return;
  throw UsageError(
      concat("--replay ", o.replay, ": an epoch has ", steps, " batches; replay as many or fewer"));
}

/// Labels mean to the data what they mean to a model from a file.
void match_classes_of_model(const TrainOptions& o, TrainingData& data) {
  if (const auto known = classes_of_model(o)) {
    match_model(data, {.data = o.data, .validation = o.validation}, *known);
  } else if (!data.class_names.empty()) {
    throw UsageError(concat("train: --class-names gives names to classes that are numbers; ",
                            o.data, " has names of its own"));
  }
}

/// Weights as they leave the engine: offsets and gaps included.
std::size_t weight_elements(const nn::Model& model) {
  return static_cast<std::size_t>(nn::arena_elements(nn::parameters(model)));
}

}  // namespace

Training prepare_training(TrainOptions options, TrainingData data, const Watch& watch,
                          std::shared_ptr<const nn::Engine> engine,
                          std::function<void(std::uint64_t)> on_timing) {
  Training t;
  t.data = std::move(data);
  choose(options, *t.data.training.dataset);
  match_classes_of_model(options, t.data);
  const Dataset& training = *t.data.training.dataset;
  if (options.resident) check_resident(options, engine.get());
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
                     .decoder = decoder_options(budget, options.threads, options.max_image_pixels,
                                                t.model.preprocessing),
                     .threads = options.threads,
                     .budget = budget,
                     .watch = watch,
                     .stall = stall_watch(options.stall_timeout)});
  if (options.compute_threads == 0) {
    options.compute_threads = compute_threads_for(t.model, options.batch);
  }
  t.pretrained = open_weights(options.transfer, t.model);
  EngineChoice choice = options.engine();
  choice.on_timing = std::move(on_timing);
  t.engine = engine != nullptr ? std::move(engine) : engine_for(choice);
  t.options = std::move(options);
  const bool has_own_memory = !t.engine->shares_host_memory();
  if (t.options.report_every == 0) {
    // Of resident data 50 steps are one batch (resident.h), which should not be waited for alone.
    const std::int64_t on_device = kStepsBetweenResults * (t.options.resident ? 4 : 1);
    t.options.report_every = has_own_memory ? on_device : 1;
  }
  if (has_own_memory) t.watch = profiler_ranges();
  const TrainOptions& o = t.options;
  if (o.replay > 0) t.data.validation = {};
  if (o.on_bad_image == "skip") {
    t.lost = std::make_shared<LostSamples>(t.data.training, t.data.validation);
  }
  const DirectoryReader reader = make_reader(t);
  if (o.replay > 0) {
    check_replay(o, reader.training_steps());
    t.data.validation_description = "none, since the input is replayed";
    t.kept = std::make_shared<KeptBatches>();
  }
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
  if (o.resident) t.resident = resident_data(t);
  return t;
}

namespace {

std::uint32_t steps_of_epoch(const Training& t) {
  Training from_the_first = t;
  from_the_first.state = nullptr;
  return make_reader(from_the_first).training_steps();
}

}  // namespace

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
  return device_batches(t, steps_together(t));
}

DeviceBatchFactory device_batches(const Training& t, std::uint32_t steps) {
  const ClassMode mode = class_mode_for(t.options.labels, t.model);
  return {.engine = t.engine,
          .sample = t.model.input,
          .dtype = nn::host_dtype(t.model.preprocessing, t.data.training.dataset->dtype()),
          .capacity = t.options.batch * steps,
          .target_width = target_width(mode, output_width(t.model)),
          .learns_input = mode == ClassMode::input,
          .step = t.options.batch,
          .resident = t.resident != nullptr ? t.resident->pixels : nullptr,
          .moves = moves_on_device(t)};
}

HostBatchFactory host_batches(const Training& t) {
  const DeviceBatchFactory device = device_batches(t);
  return {t.model.input, device.dtype, t.options.batch,
          [engine = t.engine](Bytes size) { return engine->host_buffer(size); },
          device.target_width};
}

void charge_indexes(Pipeline& p, const Training& t) {
  const SampleSet& training = t.data.training;
  const SampleSet& validation = t.data.validation;
  p.charge("index", 1, training.dataset->index_bytes());
  if (validation.size() > 0 && validation.dataset != training.dataset) {
    p.charge("validation index", 1, validation.dataset->index_bytes());
  }
}

Stream<Lease<HostBatch>> add_reading(Pipeline& p, const Training& t, DirectoryReader reader,
                                     const Pool<HostBatch>& host) {
  const TrainOptions& o = t.options;
  const SampleSet& training = t.data.training;
  const SampleSet& validation = t.data.validation;
  charge_indexes(p, t);
  p.charge("order of samples", 1, reader.bytes());
  if (t.lost != nullptr) p.charge("samples that are left out", 1, t.lost->bytes());
  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(
      tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = bad_image_policy(o)},
      DecodeInto(training.dataset, validation.dataset,
                 filter_from_name(t.model.preprocessing.filter),
                 decoder_options(parse_bytes(o.memory_budget), o.threads, o.max_image_pixels,
                                 t.model.preprocessing),
                 t.lost));
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

Stream<Lease<HostBatch>> add_replay(Pipeline& p, const Training& t) {
  const TrainOptions& o = t.options;
  const HostBatchFactory batch = host_batches(t);
  charge_indexes(p, t);
  p.charge("kept batches", o.replay, batch.bytes());
  auto slots = p.pool<HostBatch>("host batches", o.slots, ReplaySlotFactory{batch});
  return p.source({.name = "replay"}, slots,
                  Replay(t.kept, {.epochs = o.epochs,
                                  .steps = steps_of_epoch(t),
                                  .start = t.state != nullptr ? t.state->next : ReaderPosition{},
                                  .finished = t.state != nullptr ? t.state->finished() : nullptr}));
}

}  // namespace

Stream<Lease<HostBatch>> add_loading(Pipeline& p, const Training& t) {
  if (t.kept != nullptr) return add_replay(p, t);
  if (t.resident != nullptr) return add_resident(p, t);
  auto host = p.pool<HostBatch>("host batches", t.options.slots, host_batches(t));
  return add_reading(p, t, make_reader(t), host);
}

std::string describe_replay(const Training& t) {
  return t.kept == nullptr ? std::string()
                           : concat("input replayed: the first ", t.options.replay, ' ',
                                    plural(t.options.replay, "batch was", "batches were"),
                                    " loaded once and fed over and over, not part of the times");
}

Report load_kept(const Training& t, std::stop_token stop) {
  Training first = t;
  first.options.epochs = 1;
  first.options.limit_batches = t.options.replay;
  first.state = nullptr;  // from the first batch on, also for a run that is gone on with
  Pipeline p({.name = "load the batches to replay",
              .budget = parse_bytes(t.options.memory_budget),
              .threads = t.options.threads,
              .stall = stall_watch(t.options.stall_timeout)});
  auto host =
      p.pool<HostBatch>("kept batches", static_cast<int>(t.options.replay), host_batches(t));
  t.kept->clear();
  p.sink(add_reading(p, t, make_reader(first), host), {.name = "keep"}, KeepBatches(t.kept));
  Report report = p.run(std::move(stop));
  if (report.stopped) throw Stopped("stopped while the batches to replay were loaded");
  return report;
}

namespace {

/// Of the executor that takes more, where another one takes over: never both at a time.
std::vector<nn::MemoryLine> model_memory(const Training& t) {
  std::vector<nn::MemoryLine> lines = t.state->executor->memory();
  if (t.state->unfrozen == nullptr) return lines;
  std::vector<nn::MemoryLine> later = t.state->unfrozen->memory();
  return nn::total(later) > nn::total(lines) ? later : lines;
}

/// What training with another batch size or precision would take of a GPU, at most.
Bytes planned_memory(const Training& t, std::int64_t batch, nn::Precision precision) {
  nn::CompileOptions compile = t.compile;
  compile.batch = batch;
  std::erase_if(compile.other_batches, [batch](std::int64_t other) { return other >= batch; });
  Bytes most = nn::total(planned_gpu_memory(t.model, compile, precision));
  if (t.state->unfrozen != nullptr) {
    most = std::max(most, nn::total(planned_gpu_memory(thawed(t.model), compile, precision)));
  }
  return most;
}

void charge_data(DeviceMemoryPlan& plan, const Training& t) {
  if (t.resident != nullptr) plan.charge("resident samples", 1, t.resident->pixels->bytes());
  plan.charge("device batches", kDeviceBatches, device_batches(t).device_bytes());
}

bool would_fit(const Training& t, std::int64_t batch) {
  DeviceMemoryPlan plan(*t.engine);
  plan.charge("model", 1, planned_memory(t, batch, t.engine->precision()));
  Training smaller = t;
  smaller.options.batch = batch;
  charge_data(plan, smaller);
  return plan.fits();
}

}  // namespace

Pipeline compose_training(const Training& t, const std::filesystem::path& trace,
                          Logger::Watchers watchers) {
  const TrainOptions& o = t.options;
  Pipeline p({.name = "train",
              .budget = parse_bytes(o.memory_budget),
              .threads = o.threads,
              .trace = trace,
              .watch = t.watch,
              .stall = stall_watch(o.stall_timeout)});
  charge_model(p, *t.engine, model_memory(t));
  if (t.state->unfrozen != nullptr) {
    p.charge("weights on the move", t.compile.masks ? 3 : 2,
             Bytes{weight_elements(t.model) * sizeof(float)});
  }
  if (!trace.empty() && !t.engine->shares_host_memory() && !o.no_profile) {
    p.charge("record of the GPU's work", 1, GpuRecording::bytes());
  }
  Bytes kept;
  for (const auto& callback : t.callbacks) kept += callback->array_bytes();
  if (kept.count > 0) p.charge("best weights", 3, kept);  // kept, and two copies on the way
  if (t.pruner != nullptr) p.charge("pruning", 1, t.pruner->scratch());
  auto batches = add_loading(p, t);

  auto device = p.pool<DeviceBatch>("device batches", kDeviceBatches, device_batches(t));
  const bool checkpoints = !o.callbacks.no_checkpoints;
  auto snapshots = p.pool<Snapshot>("snapshot", 1, SnapshotFactory{t.state, t.saved, checkpoints});
  const auto rate = [base = *o.learning_rate, schedule = schedule_of(o.schedule)](
                        std::uint64_t step) { return nn::learning_rate(schedule, base, step - 1); };

  CopyToDevice copy(t.engine);
  if (moves_on_device(t)) copy.move_as(augment_options(o.augmentation), o.seed);
  auto on_device =
      p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"}, std::move(copy));
  auto inputs = p.then(on_device, {.name = "cast"}, Cast(t.model.preprocessing, t.model.input));
  // One thread, one item at a time, stage after stage.
  TrainStep step(t.state, rate);
  if (o.transfer.unfreeze_at > 0) {
    step.unfreeze_at(o.transfer.unfreeze_at - 1, o.transfer.unfreeze_factor);
  }
  step.metrics(words_of(o.callbacks.metrics), t.data.validation.size(), o.batch);
  step.report_every(o.report_every, o.callbacks.checkpoint_every);
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

DeviceMemoryPlan device_memory(const Training& t) {
  DeviceMemoryPlan plan(*t.engine);
  charge_model(plan, model_memory(t));
  charge_data(plan, t);
  return plan;
}

void check_device_memory(const Training& t) {
  const auto largest_batch = [&t] {
    return largest_that_fits(t.options.batch,
                             [&t](std::int64_t batch) { return would_fit(t, batch); });
  };
  device_memory(t).check(largest_batch, t.resident != nullptr ? ", or leave --resident out" : "");
}

std::string describe_device_memory(const Training& t) {
  const auto memory = t.engine->device_memory();
  if (!memory) return {};
  const auto at_most = [&t](nn::Precision precision) {
    return concat(nn::to_string(precision), " at most ",
                  planned_memory(t, t.options.batch, precision));
  };
  return concat(device_memory(t).charged(), " of the device's ", memory->total, ", of which ",
                memory->free, " is free; the model in ", at_most(nn::Precision::fp32), ", in ",
                at_most(nn::Precision::fp16));
}

void allocate(const Training& t) {
  t.state->executor->allocate();
  std::vector<float> weights(weight_elements(t.model));
  nn::initialize(t.model, t.options.seed, weights);
  if (t.pretrained != nullptr) t.pretrained->load(weights);
  t.state->executor->write(nn::Arena::parameters, weights);
}

}  // namespace millrace::apps

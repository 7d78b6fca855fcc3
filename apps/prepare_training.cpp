#include "apps/prepare_training.h"

#include "apps/choose.h"
#include "apps/engine_choice.h"
#include "apps/find_model.h"
#include "apps/gpu.h"
#include "apps/loss_options.h"
#include "apps/progress.h"
#include "apps/replay.h"
#include "apps/resident.h"
#include "apps/training_input.h"

#include <millrace/pipeline/threads.h>
#include <millrace/training/class_weights.h>
#include <millrace/training/run_identity.h>
#include <millrace/training/saved_model.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace millrace::apps {
namespace {

/// To ask a device for results is to wait for it; this often it does not show.
constexpr std::int64_t kStepsBetweenResults = 50;

/// Labels mean to the data what they mean to a model from a file.
void match_classes_of_model(const TrainOptions& o, TrainingData& data) {
  if (const auto known = classes_of_model(o)) {
    match_model(data, {.data = o.data, .validation = o.validation}, *known);
  } else if (!data.class_names.empty()) {
    throw UsageError(concat("train: --class-names gives names to classes that are numbers; ",
                            o.data, " has names of its own"));
  }
}

/// The model of a run that is gone on with, for its data: the files that it was made from are not
/// needed any more.
nn::Model model_of_run(const ResumePoint& run, TrainingData& data, const TrainOptions& o) {
  nn::Model model = run.model();
  const Dataset& training = *data.training.dataset;
  const bool is_table = training.dtype() == DType::f32;
  if (is_table ? training.natural_shape() != model.input : model.input.rank() != 3) {
    throw Error(concat(o.data, ": holds ",
                       is_table ? concat("rows of ", training.natural_shape()) : "images",
                       ", the model of the run takes ", model.input, "; begin a new run"));
  }
  if (is_table && training.table() != nullptr) model.table = *training.table();
  // Of a model that was trained before, labels may mean its classes, in an order of its own.
  const std::vector<std::string> classes = training.classes();
  if (classes != model.classes && std::is_permutation(classes.begin(), classes.end(),
                                                      model.classes.begin(), model.classes.end())) {
    data.class_names.clear();
    match_model(data, {.data = o.data, .validation = o.validation},
                {model.classes, "the run", true});
  }
  return model;
}

/// Fits what the options ask for. A run that goes on has it in its model, but for a whitening
/// matrix, which the model file of its last epoch has; in its first epoch it is fitted again.
void fit(const TrainOptions& o, const ResumedRun* kept, const Watch& watch, Training& t) {
  std::error_code ignored;
  if (kept != nullptr && t.model.preprocessing.whiten &&
      std::filesystem::exists(kept->directory.model_file(), ignored)) {
    t.model.preprocessing.whitening =
        read_model(kept->directory.model_file()).preprocessing.whitening;
  }
  if (kept != nullptr &&
      t.model.preprocessing.whiten == (t.model.preprocessing.whitening != nullptr))
    return;
  const Bytes budget = parse_bytes(o.memory_budget);
  fit_preprocessing(
      o.preprocessing, t.data.training, t.model,
      {.on_bad_image = bad_image_policy(o),
       .decoder = decoder_options(budget, o.threads, o.max_image_pixels, t.model.preprocessing),
       .threads = o.threads,
       .budget = budget,
       .watch = watch,
       .stall = stall_watch(o.stall_timeout)});
  if (kept != nullptr && t.model.preprocessing.whitening == nullptr) {
    throw Error(concat(kept->directory.path().string(), ": the whitening of ", o.model,
                       " is not known before the first epoch is over; give --model ", o.model));
  }
}

/// What a checkpoint depends on.
RunIdentity identity_of(const TrainOptions& o, const TrainingData& data, const nn::Model& model) {
  return RunIdentity({{"batch", concat(o.batch)},
                      {"steps-per-epoch", concat(o.steps_per_epoch)},
                      {"limit-batches", concat(o.limit_batches)},
                      {"replay", concat(o.replay)},
                      {"precision", o.precision.empty() ? "fp32" : o.precision},
                      {"seed", concat(o.seed)},
                      {"no-shuffle", o.no_shuffle ? "true" : "false"},
                      {"optimizer", o.optimizer},
                      {"accumulate", concat(o.accumulate)}},
                     o.ema, data.training, data.validation, model);
}

}  // namespace

Training prepare_training(TrainOptions options, TrainingData data, const Watch& watch,
                          std::shared_ptr<const nn::Engine> engine,
                          std::function<void(std::uint64_t)> on_timing, const ResumedRun* resumed) {
  Training t;
  t.data = std::move(data);
  choose(options, *t.data.training.dataset);
  const bool keeps_model = resumed != nullptr && resumed->keeps_model;
  if (!keeps_model) match_classes_of_model(options, t.data);
  if (options.resident) check_resident(options, engine.get());
  t.model = keeps_model ? model_of_run(resumed->point, t.data, options)
                        : make_model(options, *t.data.training.dataset);
  if (t.model.input.rank() != 3 && !augment_options(options.augmentation).is_identity()) {
    throw UsageError(
        "train: augmentation changes images, and DATA holds rows of numbers; leave its options "
        "out");
  }
  (void)class_weights(options.labels.class_weight, t.data.training);  // before anything takes long
  fit(options, keeps_model ? resumed : nullptr, watch, t);
  if (options.replay > 0) t.data.validation = {};
  const auto identity = std::make_shared<RunIdentity>(identity_of(options, t.data, t.model));
  if (resumed != nullptr) check_same(*identity, resumed->point);
  if (options.compute_threads == 0) options.compute_threads = available_threads();
  if (!keeps_model) t.pretrained = open_weights(options.transfer, t.model);
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
  if (o.on_bad_image == "skip") {
    t.lost = std::make_shared<LostSamples>(t.data.training, t.data.validation);
  }
  const DirectoryReader reader = make_reader(t);
  if (o.replay > 0) {
    check_replay(o, reader.training_steps());
    t.data.validation_description = "none, since the input is replayed";
    t.kept = std::make_shared<KeptBatches>();
  }
  const std::uint64_t steps = run_steps(o, reader);
  choose(t.options.schedule, steps);
  choose(t.options.pruning, steps);
  t.compile = {.batch = o.batch,
               .other_batches = reader.short_batches(),
               .loss = loss_of(o.loss, o.labels, t.model),
               .label_smoothing = o.schedule.label_smoothing,
               .optimizer = optimizer_options(o),
               .gradient = gradient_of(o.schedule),
               .masks = o.pruning.is_on(),
               .accumulate = o.accumulate,
               .average = o.ema,
               .seed = o.seed};
  check_monitor(t.compile.loss, o.callbacks.monitor, t.model);
  t.state =
      std::make_shared<TrainingState>(t.engine->compile(t.model, t.compile), arenas_of(t.compile));
  if (o.transfer.unfreeze_at > 0) {
    t.state->unfrozen = t.engine->compile(thawed(t.model), t.compile);
  }
  t.callbacks = make_callbacks(o.callbacks, t.data.validation.size() > 0, t.model);
  t.saved.push_back(identity);
  if (auto pruning = prune_options(o.pruning, o.augmentation.keras_compat)) {
    t.pruner = std::make_shared<Pruner>(t.model, std::move(*pruning));
    t.saved.push_back(t.pruner);
  }
  t.saved.insert(t.saved.end(), t.callbacks.begin(), t.callbacks.end());
  if (o.resident) t.resident = resident_data(t);
  return t;
}

}  // namespace millrace::apps

#include "apps/prepare_training.h"

#include "apps/choose.h"
#include "apps/engine_choice.h"
#include "apps/find_model.h"
#include "apps/gpu.h"
#include "apps/loss_options.h"
#include "apps/progress.h"
#include "apps/run_identity.h"
#include "apps/training_input.h"

#include <millrace/nodes/decode_into.h>
#include <millrace/pipeline/threads.h>
#include <millrace/training/class_weights.h>

#include <utility>

namespace millrace::apps {
namespace {

/// Labels mean to the data what they mean to a model from a file.
void match_classes_of_model(const TrainOptions& o, TrainingData& data) {
  if (const auto known = classes_of_model(o)) {
    match_model(data, {.data = o.data, .validation = o.validation}, *known);
  } else if (!data.class_names.empty()) {
    throw UsageError(concat("train: --class-names gives names to classes that are numbers; ",
                            o.data, " has names of its own"));
  }
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
  check_feed(options, engine.get());
  t.model = make_model(options, training);
  if (t.model.input.rank() != 3 && !augment_options(options.augmentation).is_identity()) {
    throw UsageError(
        "train: augmentation changes images, and DATA holds rows of numbers; leave its options "
        "out");
  }
  const Bytes budget = parse_bytes(options.memory_budget);
  (void)class_weights(options.labels.class_weight, t.data.training);  // before anything takes long
  fit_preprocessing(options.preprocessing, t.data.training, t.model,
                    {.on_bad_image = bad_image_policy(options),
                     .decoder = decoders_within(budget, options.threads, options.max_image_pixels),
                     .threads = options.threads,
                     .budget = budget,
                     .watch = watch,
                     .stall = stall_watch(options.stall_timeout)});
  if (options.compute_threads == 0) options.compute_threads = available_threads();
  t.pretrained = open_weights(options.transfer, t.model);
  EngineChoice choice = options.engine();
  choice.on_timing = std::move(on_timing);
  t.engine = engine != nullptr ? std::move(engine) : engine_for(choice);
  t.options = std::move(options);
  const bool has_own_memory = !t.engine->shares_host_memory();
  if (has_own_memory) t.watch = profiler_ranges();
  const TrainOptions& o = t.options;
  if (o.replay > 0) {
    t.data.validation = {};
    t.data.validation_description = "none, since the input is replayed";
  }
  if (o.on_bad_image == "skip") {
    t.lost = std::make_shared<LostSamples>(t.data.training, t.data.validation);
  }
  t.feed = make_feed(t);
  if (o.report_every == 0) {
    t.options.report_every = has_own_memory ? t.feed->steps_between_results() : 1;
  }
  const std::uint64_t steps = t.feed->updates();
  choose(t.options.schedule, steps);
  choose(t.options.pruning, steps);
  t.compile = {.batch = o.batch,
               .other_batches = t.feed->reader().short_batches(),
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
  t.saved.push_back(std::make_shared<RunIdentity>(o, t.data, t.model));
  if (auto pruning = prune_options(o.pruning, o.augmentation.keras_compat)) {
    t.pruner = std::make_shared<Pruner>(t.model, std::move(*pruning));
    t.saved.push_back(t.pruner);
  }
  t.saved.insert(t.saved.end(), t.callbacks.begin(), t.callbacks.end());
  return t;
}

}  // namespace millrace::apps

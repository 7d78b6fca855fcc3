#include <millrace/training/prepare_training.h>

#include <millrace/nn/target_metrics.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/training/class_weights.h>
#include <millrace/training/defined_measures.h>
#include <millrace/training/feature_feed.h>
#include <millrace/training/few_samples.h>
#include <millrace/training/find_model.h>
#include <millrace/training/image_preprocessing.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/make_callbacks.h>
#include <millrace/training/make_feed.h>
#include <millrace/training/outputs.h>
#include <millrace/training/resolve.h>
#include <millrace/training/run_identity.h>
#include <millrace/training/run_pruning.h>
#include <millrace/training/run_schedule.h>
#include <millrace/training/sample_prints.h>
#include <millrace/training/saved_model.h>
#include <millrace/training/streamed_data.h>
#include <millrace/training/tables.h>
#include <millrace/training/transfer.h>
#include <millrace/training/watched_measures.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

/// What messages call the data.
DataSpec names_of(const TrainSpec& o, const TrainingData& data) {
  DataSpec names = o.data;
  if (data.stream != nullptr) names.path = "the stream";
  return names;
}

/// Labels mean to the data what they mean to a model from a file.
void match_classes_of_model(const TrainSpec& o, TrainingData& data) {
  if (!data.training.dataset->targets().empty()) return;
  if (const auto known = classes_of_model(o)) {
    match_model(data, names_of(o, data), *known);
  } else if (!data.class_names.empty()) {
    throw UsageError(concat("--class-names gives names to classes that are numbers; ", o.data.path,
                            " already has names"));
  }
}

/// Where the command line says something of a resumed run's model, that is made from its file
/// again.
void check_model_file(const std::string& name) {
  std::error_code ignored;
  if (!is_model_description(name) || std::filesystem::exists(name, ignored)) return;
  throw UsageError(concat(name,
                          ": does not exist any more; the run resumes without it if you leave "
                          "out --model, --scale and other options of the model"));
}

/// The model of a run that is gone on with, for its data: the files that it was made from are not
/// needed any more.
nn::Model model_of_run(const ResumePoint& run, TrainingData& data, const TrainSpec& o) {
  nn::Model model = run.model();
  const Dataset& training = *data.training.dataset;
  const bool is_table = training.dtype() == DType::f32;
  if (is_table ? training.natural_shape() != model.input : model.input.rank() != 3) {
    throw Error(concat(
        names_of(o, data).path, ": holds ", kind_of_samples(training.natural_shape()),
        ", and the model of the run takes ", kind_of_samples(model.input), "; begin a new run"));
  }
  if (is_table && training.table() != nullptr) model.table = *training.table();
  if (!model.targets.empty()) return model;
  // Of a model that was trained before, labels may mean its classes, in an order of its own.
  const std::vector<std::string> classes = training.classes();
  if (classes != model.classes && std::is_permutation(classes.begin(), classes.end(),
                                                      model.classes.begin(), model.classes.end())) {
    data.class_names.clear();
    match_model(data, names_of(o, data), {model.classes, "the run", true});
  }
  return model;
}

const std::string& place_of_validation(const DataSpec& o) {
  return o.validation.empty() ? o.path : o.validation;
}

/// That the targets are what the end of the model can give.
void check_targets(const TrainSpec& o, const Training& t) {
  if (t.data.stream != nullptr) {
    if (!nn::gives_labels(t.model) || t.data.stream->facts.targets_are_labels) return;
    throw UsageError(concat("StreamFacts::targets_are_labels: the model ends in the sigmoid '",
                            t.model.layers.back().name, "', which gives labels in 0..1; set it, ",
                            "or end the model in a dense layer for numbers"));
  }
  check_labels(t.model, *t.data.training.dataset, o.data.path);
  if (t.data.validation.size() == 0) return;
  check_labels(t.model, *t.data.validation.dataset, place_of_validation(o.data));
}

/// Fits what the options ask for. A run that goes on has it in its model, but for a whitening
/// matrix, which the model file of its last epoch has; in its first epoch it is fitted again.
void fit(const TrainSpec& o, const ResumedRun* kept, const SessionWatch& watch, Training& t) {
  std::error_code ignored;
  if (kept != nullptr && t.model.preprocessing.whiten &&
      std::filesystem::exists(kept->directory.model_file(), ignored)) {
    t.model.preprocessing.whitening =
        read_model(kept->directory.model_file()).preprocessing.whitening;
  }
  if (kept != nullptr &&
      t.model.preprocessing.whiten == (t.model.preprocessing.whitening != nullptr))
    return;
  const Bytes budget = o.machine.memory_budget.value();
  fit_preprocessing(o.images, t.data.training, t.model,
                    {.on_bad_image = bad_image_policy(o),
                     .decoder = decoders_within(budget, o.machine.threads, o.data.max_image_pixels),
                     .threads = o.machine.threads,
                     .budget = budget,
                     .watch = watch.of_work("fitting the preprocessing", "samples"),
                     .stall = t.stall});
  if (kept != nullptr && t.model.preprocessing.whitening == nullptr) {
    throw Error(concat(kept->directory.path().string(), ": the whitening of ", o.model.name,
                       " is not known before the first epoch is over; give --model ",
                       o.model.name));
  }
}

RunIdentity identity_of(const TrainSpec& spec, const TrainingData& data, const nn::Model& model) {
  // Nothing is known of the samples of a stream but what they are like, in whatever order its
  // classes are named.
  const auto print = [&](SampleSet set) {
    if (data.stream == nullptr || set.size() == 0) return fingerprint(set);
    const auto label = [&](std::uint32_t i) { return set.dataset->label(i); };
    std::sort(set.samples.begin(), set.samples.end(),
              [&](std::uint32_t a, std::uint32_t b) { return label(a) < label(b); });
    const std::string samples = fingerprint(set);
    return concat(data.description, samples.substr(samples.rfind(',')));
  };
  return RunIdentity(kept_options(spec), spec.ema, print(data.training), print(data.validation),
                     model);
}

EngineRequest request(const TrainSpec& spec, const ResumedRun* resumed, const SessionWatch& watch) {
  return {.machine = spec.machine,
          .choices = resumed != nullptr ? choices_file(resumed->directory.path())
                                        : std::filesystem::path(),
          .on_timing = [work = watch.of_work("finding the fastest algorithms", "operations")](
                           std::uint64_t count) { work.at(count); }};
}

/// The state with its executors.
void compile_model(Training& t) {
  std::shared_ptr<nn::Executor> executor = t.engine->compile(t.stepped(), t.compile);
  if (auto* const feed = dynamic_cast<FeatureFeed*>(t.feed.get())) {
    const auto head = std::make_shared<nn::HeadExecutor>(t.model, std::move(executor));
    feed->feed_to(head);
    executor = head;
  }
  t.state = std::make_shared<TrainingState>(std::move(executor), arenas_of(t.compile));
  t.state->tells_accuracy = has_right_answers(t.compile.loss, t.model);
  if (t.spec.model.unfreeze_at > 0) {
    t.state->unfrozen = t.engine->compile(thawed(t.model), t.compile);
  }
}

/// Else frozen layers are computed in each step.
void keep_features_within_budget(Training& t) {
  if (!t.features.front || t.features.in_file || holds_features(t)) return;
  const std::string what = dynamic_cast<const FeatureFeed&>(*t.feed).amount();
  t.features = {.why_not =
                    concat("what they give, ", what, ", does not fit into the memory budget, ",
                           t.spec.machine.memory_budget.value(),
                           "; --cache-features file keeps it in the run's directory")};
  t.feed = make_feed(t);
  t.later = nullptr;
  compile_model(t);
}

}  // namespace

Training prepare_training(TrainSpec asked, TrainingData data,
                          std::shared_ptr<const nn::Engine> engine, const EngineMaker& make_engine,
                          const SessionOptions& options) {
  Training t;
  t.data = std::move(data);
  t.resumed = options.resumed;
  TrainSpec spec = resolve(std::move(asked), *t.data.training.dataset);
  t.stall = options.watch.stall(spec.machine.stall_timeout.count());
  const bool keeps_model = t.resumed != nullptr && t.resumed->keeps_model;
  if (t.resumed != nullptr && !keeps_model) check_model_file(spec.model.name);
  if (!keeps_model) match_classes_of_model(spec, t.data);
  check_feed(spec, engine.get());
  t.model = keeps_model ? model_of_run(t.resumed->point, t.data, spec)
                        : make_model(spec, *t.data.training.dataset);
  if (t.model.input.rank() != 3 && !spec.augmentation.is_identity()) {
    throw UsageError(
        "augmentation changes images, and DATA holds rows of numbers; leave its options out");
  }
  if (t.data.stream != nullptr && spec.augmentation.views > 0) {
    throw UsageError(
        "--views draws changes by the number of a sample, which a stream does not give; leave it "
        "out");
  }
  if (t.resumed == nullptr) {
    const std::string advice = advice_for_few(spec, t.data, t.model);
    if (!advice.empty()) options.watch.note(advice);
  }
  (void)class_weights(spec.labels.class_weight, t.data.training);  // before anything takes long
  fit(spec, keeps_model ? t.resumed.get() : nullptr, options.watch, t);
  if (spec.data.replay > 0) t.data.validation = {};
  if (!spec.callbacks.metrics.empty() && t.data.validation.size() == 0) {
    options.watch.note("--metrics are measured in validation, and there is none");
  }
  const auto identity = std::make_shared<RunIdentity>(identity_of(spec, t.data, t.model));
  if (t.resumed != nullptr) check_same(*identity, t.resumed->point);
  if (!t.model.targets.empty()) {
    check_targets(spec, t);
    measure_targets(spec.callbacks, t.data.validation.size() > 0, t.model);
  }
  if (t.data.validation.size() > 0 && t.data.stream == nullptr) {
    for (const std::string& line : undefined_measures(spec.callbacks, t.data.validation, t.model,
                                                      place_of_validation(spec.data))) {
      options.watch.note(line);
    }
  }
  if (!keeps_model) t.pretrained = open_weights(spec.model, t.model);
  t.engine = engine != nullptr ? std::move(engine)
                               : make_engine(request(spec, t.resumed.get(), options.watch));
  t.spec = std::move(spec);
  const bool has_own_memory = !t.engine->shares_host_memory();
  t.spec.machine.device = has_own_memory ? Device::gpu : Device::cpu;
  if (has_own_memory) {
    t.stages = options.stages;
    t.planned_memory = options.planned_memory;
    if (t.spec.machine.profile) t.recording = options.recording;
  }
  const TrainSpec& o = t.spec;
  if (o.data.on_bad_image == BadImages::skip && t.data.stream == nullptr) {
    t.lost = std::make_shared<LostSamples>(t.data.training, t.data.validation);
  }
  if (o.data.replay > 0) t.data.validation_description = "none, since the input is replayed";
  t.features = choose_features(o, t.data, t.model);
  t.feed = make_feed(t);
  t.later = make_later_feed(t);
  if (o.machine.report_every == 0) {
    t.spec.machine.report_every = has_own_memory ? t.feed->steps_between_results() : 1;
  }
  const std::uint64_t steps = t.last_feed().updates();
  choose_schedule(t.spec, steps);
  choose_pruning(t.spec.pruning, steps);
  t.compile = {.batch = o.batch,
               .other_batches = t.feed->short_batches(),
               .loss = loss_of(o.loss, o.labels, t.model),
               .label_smoothing = o.label_smoothing,
               .optimizer = o.optimizer,
               .gradient = o.gradient,
               .masks = o.pruning.kind.has_value(),
               .accumulate = o.accumulate,
               .average = o.ema,
               .seed = o.seed};
  check_label_smoothing(o.label_smoothing, t.compile.loss, t.model);
  check_monitor(t.compile.loss, o.callbacks.monitor, t.model);
  compile_model(t);
  t.callbacks = make_callbacks(o.callbacks, t.data.validation.size() > 0, t.model);
  t.saved.push_back(identity);
  if (auto pruning = prune_options(o.pruning, o.augmentation.keras_compat)) {
    t.pruner = std::make_shared<Pruner>(t.model, std::move(*pruning));
    t.saved.push_back(t.pruner);
  }
  t.saved.insert(t.saved.end(), t.callbacks.begin(), t.callbacks.end());
  keep_features_within_budget(t);
  return t;
}

}  // namespace millrace

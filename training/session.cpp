#include <millrace/training/session.h>

#include <millrace/io/files.h>
#include <millrace/nn/average.h>
#include <millrace/training/augmented_samples.h>
#include <millrace/training/run_config.h>
#include <millrace/training/run_files.h>
#include <millrace/training/run_memory.h>
#include <millrace/training/sample_prints.h>
#include <millrace/training/transfer.h>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// An old run is not replaced that this one begins with: its config.ini would name what is gone.
void check_replaced(const TrainSpec& o) {
  if (!o.run.overwrite || o.model.weights.empty()) return;
  const fs::path weights = weights_file(o.model.weights);
  if (fs::weakly_canonical(weights).parent_path() != fs::weakly_canonical(o.run.directory)) return;
  throw UsageError(concat("--overwrite would replace ", weights.string(),
                          ", with which this run begins; choose another --run-dir"));
}

Training prepared(TrainSpec spec, std::shared_ptr<const nn::Engine> engine,
                  const EngineMaker& make_engine, const SessionOptions& options) {
  if (spec.data.path.empty()) {
    throw UsageError("no DATA; give a folder that holds one folder of images for each class");
  }
  {
    OptionList rows;
    list(rows, spec);
    rows.check();
  }
  check(spec);
  TrainingData data = open_training_data(spec, options.watch);
  Training training =
      prepare_training(std::move(spec), std::move(data), std::move(engine), make_engine, options);
  check_replaced(training.spec);
  return training;
}

RunFileOptions file_options(const Training& t) {
  const RunSpec& o = t.spec.run;
  RunFileOptions options{.checkpoints = o.checkpoints,
                         .events = o.events,
                         .event_steps = o.tensorboard_update,
                         .csv_log = o.csv_log};
  if (t.data.validation.size() == 0) return options;
  for (const std::string& name : t.spec.callbacks.metrics) {
    options.measures.push_back("val_" + name);
  }
  return options;
}

Logger::Watchers log_of(const TrainingWatchers& watchers) {
  return {watchers.on_step, watchers.on_epoch, watchers.on_snapshot};
}

}  // namespace

const EpochRecord& TrainingResult::best() const {
  if (epochs.empty()) throw Error("no epoch was whole, so none is the best");
  for (auto epoch = epochs.rbegin(); epoch != epochs.rend(); ++epoch) {
    if (epoch->is_best) return *epoch;
  }
  return epochs.back();
}

TrainingSession::TrainingSession(TrainSpec spec, std::shared_ptr<const nn::Engine> engine,
                                 const SessionOptions& options)
    : training_(prepared(std::move(spec), std::move(engine), {}, options)) {}

TrainingSession::TrainingSession(TrainSpec spec, const EngineMaker& make_engine,
                                 const SessionOptions& options)
    : training_(prepared(std::move(spec), nullptr, make_engine, options)) {}

TrainingSession TrainingSession::resume(const fs::path& run,
                                        std::shared_ptr<const nn::Engine> engine,
                                        const std::function<void(TrainSpec&)>& change,
                                        SessionOptions options) {
  TrainSpec spec = spec_of_run(run);
  spec.run.directory = run;
  if (change) change(spec);
  options.resumed = open_resumed(run, true, spec);
  return {std::move(spec), std::move(engine), options};
}

Plan TrainingSession::plan() const {
  return compose_training(training_, spec().run.directory / "trace.json", {}).plan();
}

void TrainingSession::check() const {
  compose_training(training_, spec().run.directory / "trace.json", {}).check();
  check_device_memory(training_);
}

void TrainingSession::write_into(fs::path directory) {
  training_.spec.run.directory = std::move(directory);
}

RunDirectory* TrainingSession::directory() noexcept {
  if (training_.resumed != nullptr) return &training_.resumed->directory;
  return directory_ ? &*directory_ : nullptr;
}

// All that can still fail comes before an old run is replaced.
void TrainingSession::open_directory(std::stop_token stop) {
  const RunSpec& o = spec().run;
  if (training_.resumed != nullptr || o.directory.empty()) return;
  std::optional<ContactSheet> sheet;
  if (const std::uint32_t samples = spec().images.show_augmented; samples > 0) {
    sheet = augmented_samples(training_.feed->options(), samples, std::move(stop));
  }
  directory_.emplace(o.directory, o.overwrite ? OldRun::replace : OldRun::refuse,
                     o.keep_checkpoints);
  if (!sheet) return;
  const std::vector<std::byte> png = png_of(*sheet);
  write_file(directory_->augmented_file(), png);
  if (o.events) EventLog(directory_->events()).contact_sheet(png, sheet->height, sheet->width);
}

void TrainingSession::write_what_is_known() {
  const Training& t = training_;
  RunDirectory& files = *directory();
  files.write_config(recipe_of(t.spec, t.resumed != nullptr));
  files.write_choices(t.engine->choices());
  files.write_data(
      to_json(record_of(t.data.training, t.data.validation, t.spec.labels.class_names)));
}

TrainingResult TrainingSession::run_pipeline(std::stop_token stop,
                                             const TrainingWatchers& watchers) {
  const Training& t = training_;
  RunDirectory* const kept = directory();
  std::optional<RunFiles> files;
  if (kept != nullptr) files.emplace(*kept, contents_of(t), file_options(t));
  // From where the state is now.
  Pipeline pipeline =
      compose_training(t, kept != nullptr ? kept->trace_file() : fs::path(),
                       files ? both(files->watchers(), log_of(watchers)) : log_of(watchers));
  if (watchers.on_begin) watchers.on_begin();
  const auto end = [&] {
    Report report = pipeline.last_report();
    const auto more = watchers.on_end ? watchers.on_end(report)
                                      : std::vector<std::pair<std::string, std::string>>();
    if (kept != nullptr) kept->write_report(report, more);
    return report;
  };
  try {
    pipeline.run(std::move(stop));
  } catch (const StageError&) {
    try {
      (void)end();
    } catch (const Error& second) {  // the first error is the one to end with
      watchers.before.note(concat("there is no report: ", second.what()));
    }
    throw;
  }
  TrainingResult result{.report = end()};
  result.stopped = result.report.stopped;
  if (result.stopped && files) files->write_stopped();
  result.epochs = t.state->history;
  if (t.state->is_finished()) result.reason = t.state->reason();
  return result;
}

TrainingResult TrainingSession::run(std::stop_token stop, const TrainingWatchers& watchers) {
  const Training& t = training_;
  if (has_run_) throw UsageError("a session runs once; TrainingSession::resume() goes on with a run");
  check();
  has_run_ = true;
  if (const std::string what = t.feed->to_load(); !what.empty()) {
    const Report loaded = t.feed->load(watchers.before.of_work("loading " + what, "samples"));
    if (watchers.on_loaded) watchers.on_loaded(loaded);
  }
  allocate();
  open_directory(stop);
  if (watchers.on_weights) watchers.on_weights();
  if (t.resumed != nullptr) {
    const Resumption resumption = millrace::resume(t);
    if (watchers.on_resumed) watchers.on_resumed(resumption);
    if (!resumption.why_not.empty()) {
      return {.report = {}, .epochs = t.state->history, .reason = resumption.why_not};
    }
  }
  if (t.pruner != nullptr) {
    t.pruner->begin(*t.state->executor, t.state->step, t.state->next.phase == Phase::validation);
  }
  if (directory() != nullptr) write_what_is_known();
  return run_pipeline(std::move(stop), watchers);
}

void train_on(Pipeline& p, Stream<Lease<HostBatch>> batches, const TrainingSession& session,
              Logger::Watchers watchers) {
  train_on(p, std::move(batches), session.training(), std::move(watchers));
}

void TrainingSession::save(const fs::path& file) const {
  nn::Executor& executor = *training_.state->executor;
  const nn::AverageScope averages(executor);
  const nn::Model& model = executor.model();
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  executor.read(nn::Arena::parameters, values);
  save_model(file, model, values);
}

}  // namespace millrace

#include <millrace/training/session.h>

#include <millrace/core/number_text.h>
#include <millrace/io/files.h>
#include <millrace/training/augmented_samples.h>
#include <millrace/training/run_config.h>
#include <millrace/training/run_files.h>
#include <millrace/training/run_memory.h>
#include <millrace/training/sample_prints.h>
#include <millrace/training/session_checks.h>

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool goes_on(const Training& t, const Report& report) {
  return !report.stopped && !t.state->is_finished() && t.state->next.epoch < t.spec.epochs;
}

Training prepared(TrainSpec spec, std::optional<StreamedData> stream,
                  std::shared_ptr<const nn::Engine> engine, const EngineMaker& make_engine,
                  const SessionOptions& options) {
  if (spec.data.path.empty() && !stream) {
    throw UsageError("no DATA; give a folder that holds one folder of images for each class");
  }
  if (engine == nullptr && !make_engine)
    throw UsageError("a session needs an engine to train with");
  check_rows(spec);
  check(spec);
  TrainingData data =
      stream ? data_of(*std::move(stream), spec) : open_training_data(spec, options.watch);
  Training training =
      prepare_training(std::move(spec), std::move(data), std::move(engine), make_engine, options);
  check_replaced(training.spec, options.resumed != nullptr);
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
    : training_(prepared(std::move(spec), {}, std::move(engine), {}, options)) {}

TrainingSession::TrainingSession(TrainSpec spec, StreamedData data,
                                 std::shared_ptr<const nn::Engine> engine,
                                 const SessionOptions& options)
    : training_(prepared(std::move(spec), std::move(data), std::move(engine), {}, options)) {}

TrainingSession::TrainingSession(TrainSpec spec, const EngineMaker& make_engine,
                                 const SessionOptions& options)
    : training_(prepared(std::move(spec), {}, nullptr, make_engine, options)) {}

namespace {

/// The spec of the run in a directory, with changes; `options` then know the run.
TrainSpec spec_to_resume(const fs::path& run, const std::function<void(TrainSpec&)>& change,
                         SessionOptions& options) {
  TrainSpec spec = spec_of_run(run);
  const auto of_model = [](TrainSpec& of) {
    OptionList rows;
    list(rows, of);
    std::vector<std::string> said;
    for (const auto& row : rows.options()) {
      if (row->is_of_model) said.push_back(row->write());
    }
    return said;
  };
  const std::vector<std::string> before = of_model(spec);
  if (change) change(spec);
  spec.run.directory = run;
  options.resumed = open_resumed(run, of_model(spec) == before, spec);
  for (const std::string& damage : options.resumed->point.damaged) {
    options.watch.warn("passed over: " + damage);
  }
  return spec;
}

}  // namespace

TrainingSession TrainingSession::resume(const fs::path& run,
                                        std::shared_ptr<const nn::Engine> engine,
                                        const std::function<void(TrainSpec&)>& change,
                                        SessionOptions options) {
  TrainSpec spec = spec_to_resume(run, change, options);
  return {std::move(spec), std::move(engine), options};
}

TrainingSession TrainingSession::resume(const fs::path& run, StreamedData data,
                                        std::shared_ptr<const nn::Engine> engine,
                                        const std::function<void(TrainSpec&)>& change,
                                        SessionOptions options) {
  TrainSpec spec = spec_to_resume(run, change, options);
  return {std::move(spec), std::move(data), std::move(engine), options};
}

fs::path TrainingSession::trace_file() const {
  const fs::path& directory = spec().run.directory;
  return directory.empty() ? fs::path() : directory / "trace.json";
}

Plan TrainingSession::plan() const {
  return compose_training(training_, trace_file(), {}).plan();
}

void TrainingSession::check() const {
  compose_training(training_, trace_file(), {}).check();
  if (training_.later != nullptr) {
    compose_training(training_, *training_.later, trace_file(), {}).check();
  }
  check_device_memory(training_);
}

void TrainingSession::write_into(fs::path directory) {
  if (training_.resumed != nullptr) {
    throw UsageError("a resumed run writes into its own directory");
  }
  training_.spec.run.directory = std::move(directory);
  check_replaced(training_.spec, false);
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
  const auto compose = [&] {
    return compose_training(t, kept != nullptr ? kept->trace_file() : fs::path(),
                            files ? both(files->watchers(), log_of(watchers)) : log_of(watchers));
  };
  if (watchers.on_begin) watchers.on_begin();
  std::vector<std::string> remarks;
  std::optional<Pipeline> pipeline(compose());
  const auto end = [&] {
    Report report = pipeline->last_report();
    report.remarks.insert(report.remarks.end(), remarks.begin(), remarks.end());
    const auto more = watchers.on_end ? watchers.on_end(report)
                                      : std::vector<std::pair<std::string, std::string>>();
    if (kept != nullptr) kept->write_report(report, more);
    return report;
  };
  try {
    const Feed& begun_with = t.feed_now();
    Report report = pipeline->run(stop);
    if (&begun_with != &t.feed_now() && goes_on(t, report)) {
      remarks.push_back(concat("epochs before ", t.spec.model.unfreeze_at, " took ",
                               duration_text(report.wall_s),
                               " with kept features; all but this line is of the later ones"));
      t.feed->unload();
      pipeline.reset();
      pipeline.emplace(compose());
      pipeline->run(stop);
    }
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

void TrainingSession::load(std::stop_token stop, const TrainingWatchers& watchers) {
  Feed& feed = *training_.feed;
  const std::string what = feed.to_load();
  if (what.empty()) return;
  SessionWatch before = watchers.before;
  if (!before.stop.stop_possible()) before.stop = std::move(stop);
  feed.keep_in(spec().run.directory);
  const Report loaded = feed.load(
      before.of_work(concat(feed.needs_weights() ? "computing " : "loading ", what), "samples"));
  if (watchers.on_loaded) watchers.on_loaded(loaded);
}

TrainingResult TrainingSession::run(std::stop_token stop, const TrainingWatchers& watchers) {
  const Training& t = training_;
  if (has_run_) throw UsageError("a session runs once; TrainingSession::resume() resumes a run");
  check();
  check_csv_log(t.spec);
  check_features(t);
  has_run_ = true;
  const bool needs_weights = t.feed->needs_weights();
  if (!needs_weights) load(stop, watchers);
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
  if (needs_weights && &t.feed_now() == t.feed.get()) load(stop, watchers);
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
  save_model(file, *training_.state->executor);
}

}  // namespace millrace

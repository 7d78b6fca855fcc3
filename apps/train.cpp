// millrace train: runs the training pipeline (training_pipeline.h) and writes a run directory.

#include "apps/commands.h"
#include "apps/event_log.h"
#include "apps/find_model.h"
#include "apps/loss_options.h"
#include "apps/prepare_training.h"
#include "apps/run_files.h"
#include "apps/run_recipe.h"
#include "apps/sample_prints.h"
#include "apps/training_losses.h"
#include "apps/training_memory.h"
#include "apps/training_pipeline.h"
#include "apps/training_report.h"

#include <millrace/core/shown_text.h>
#include <millrace/io/files.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/augmented_samples.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLabelWidth = 12;  // of lines about the run

Training prepare(TrainOptions options, Show show, std::stop_token stop) {
  if (options.data.empty()) {
    throw UsageError(
        "train: no DATA; give a folder that holds one folder of images for each class");
  }
  const double validation_share = options.replay > 0 ? 0 : options.validation_share;
  TrainingData data = open_training_data({.data = options.data,
                                          .validation = options.validation,
                                          .validation_share = validation_share,
                                          .seed = options.seed,
                                          .part = options.part,
                                          .class_names = class_names_of(options.labels.class_names),
                                          .table = csv_options(options.table)},
                                         show, stop);
  Counting counting(show, "fitting the preprocessing", "samples");
  Counting timing(show, "finding the fastest algorithms", "operations");
  return prepare_training(std::move(options), std::move(data),
                          {[&counting](std::uint64_t count) { counting(count); }, std::move(stop)},
                          nullptr, [&timing](std::uint64_t count) { timing(count); });
}

/// What a failed stage says, and what could be done.
Error explained(const StageError& error, const TrainOptions& o) {
  const bool could_skip = error.stage() == "decode" && o.on_bad_image == "fail";
  return Error(
      concat(error.what(), could_skip ? " (or leave such files out: --on-bad-image skip)" : ""));
}

/// What the run needs loaded before it begins.
void load(Feed& feed, const TrainOptions& o, Show show, std::stop_token stop) {
  const std::string what = feed.to_load();
  if (what.empty()) return;
  try {
    Counting counting(show, "loading " + what, "samples");
    print_left_out(
        feed.load({[&counting](std::uint64_t count) { counting(count); }, std::move(stop)}));
  } catch (const StageError& error) {
    throw explained(error, o);
  }
  if (show == Show::nothing) return;
  std::string label = feed.name();
  label.resize(kLabelWidth, ' ');
  std::cout << label << feed.describe() << '\n' << std::flush;
}

/// Runs the pipeline and writes its report, also of a run that fails.
Told run_pipeline(Pipeline& pipeline, const Training& t, const RunDirectory& directory,
                  TrainingProgress& progress, std::stop_token stop) {
  const bool records = !t.engine->shares_host_memory() && !t.options.no_profile;
  const std::unique_ptr<GpuRecording> recording = records ? record_gpu() : nullptr;
  const auto end = [&] {
    progress.finish();
    Told all = told(pipeline.last_report(), t, recording.get(), directory.trace_file());
    directory.write_report(all.report, all.more);
    return all;
  };
  try {
    pipeline.run(std::move(stop));
  } catch (const StageError& error) {
    try {
      (void)end();
    } catch (const Error& second) {  // the first error is the one to end with
      std::cerr << "millrace: there is no report: " << second.what() << '\n';
    }
    throw explained(error, t.options);
  }
  return end();
}

OldRun old_run(const TrainOptions& o) {
  if (!o.callbacks.resume.empty()) return OldRun::resume;
  return o.overwrite ? OldRun::replace : OldRun::refuse;
}

/// Lets people look at what the model will see, before it sees it.
void write_augmented(const Training& t, const ContactSheet& sheet, const RunDirectory& directory,
                     Show show) {
  const std::vector<std::byte> png = png_of(sheet);
  write_file(directory.augmented_file(), png);
  if (!t.options.events.no_events) {
    EventLog(directory.events()).contact_sheet(png, sheet.height, sheet.width);
  }
  if (show != Show::nothing) {
    std::cout << "augmented   " << shown(directory.augmented_file().native()) << '\n' << std::flush;
  }
}

/// An old run is not replaced that this one begins with: its config.ini would name what is gone.
void check_replaced(const TrainOptions& o) {
  if (!o.overwrite || o.transfer.weights.empty() || !o.callbacks.resume.empty()) return;
  const fs::path weights = weights_file(o.transfer.weights);
  if (fs::weakly_canonical(weights).parent_path() != fs::weakly_canonical(o.run_dir)) return;
  throw UsageError(concat("train: --overwrite would replace ", weights.string(),
                          ", with which this run begins; choose another --run-dir"));
}

int run_training(const Training& t, Show show, Interrupt& interrupt) {
  const fs::path run_dir = t.options.run_dir;
  const auto compose = [&](Logger::Watchers watchers) {
    return compose_training(t, run_dir / "trace.json", std::move(watchers));
  };
  const Pipeline plan = compose({});
  if (t.options.print_plan) {
    std::cout << plan.plan() << device_memory(t).text();
    return 0;
  }
  check_replaced(t.options);
  if (show != Show::nothing) print_choices(t);
  warn_of_pruning(t);
  plan.check();  // before anything is written or allocated
  check_device_memory(t);
  // All that can still fail comes before an old run is replaced.
  std::optional<ContactSheet> sheet;
  if (t.options.preprocessing.show_augmented > 0 && t.options.callbacks.resume.empty()) {
    sheet = augmented_samples(t.feed->options(), t.options.preprocessing.show_augmented,
                              interrupt.token());
  }
  load(*t.feed, t.options, show, interrupt.token());
  allocate(t);
  RunDirectory directory(run_dir, old_run(t.options), t.options.callbacks.keep_checkpoints);
  if (sheet) write_augmented(t, *sheet, directory, show);
  std::optional<ModelSize> dense;  // with the weights that training begins with
  if (t.pruner != nullptr) dense = model_size(thawed(t.model), t.state->weights(), run_dir);
  if (!t.options.callbacks.resume.empty() && !resume(t, directory, show)) return 0;
  if (t.pruner != nullptr) {
    t.pruner->begin(*t.state->executor, t.state->step, t.state->next.phase == Phase::validation);
  }
  directory.write_config(recipe_of(t.options));
  directory.write_choices(t.engine->choices());
  directory.write_data(to_json(record_of(t.data, class_names_of(t.options.labels.class_names))));
  TrainingProgress progress(show, t.options.epochs, t.options.batch,
                            has_right_answers(t.compile.loss, t.model));
  RunFiles files(t, directory, progress);
  Pipeline pipeline = compose(files.watchers());  // from where the state is now
  const Told told = run_pipeline(pipeline, t, directory, progress, interrupt.token());
  const bool is_stopped = told.report.stopped;
  if (is_stopped) files.write_stopped();
  print_outcome(told.report, t, directory, show);
  if (dense && !is_stopped) report_pruning(told, t, directory, *dense, show);
  return is_stopped ? interrupt.exit_status() : 0;
}

}  // namespace

int train(const Arguments& arguments) {
  TrainOptions options;
  CommandLine line(
      "train", "train DATA [OPTIONS]",
      "Trains a model to tell classes apart. DATA is a folder with one folder of\n"
      "images for each class, or holds train/ and val/ or test/ of such; or it is an\n"
      "IDX data set or a CSV file of numbers with the class in the last column. Files in\n"
      "folders that are no images are left out and counted. What is not said is chosen\n"
      "and printed.");
  declare(line, options);
  line.accept_recipe();
  const std::optional<Arguments> all = arguments_of_resumed(arguments);
  if (!all || !line.parse(*all)) return 0;
  check(options);

  Interrupt interrupt;
  const Show show = how_to_show(options.quiet);
  try {
    return run_training(prepare(options, show, interrupt.token()), show, interrupt);
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before training began\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps

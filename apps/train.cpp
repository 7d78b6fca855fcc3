// millrace train: runs the training pipeline (training_pipeline.h) and writes a run directory.

#include "apps/commands.h"
#include "apps/left_out_report.h"
#include "apps/prepare_training.h"
#include "apps/resume.h"
#include "apps/run_recipe.h"
#include "apps/train_options.h"
#include "apps/training_losses.h"
#include "apps/training_memory.h"
#include "apps/training_pipeline.h"
#include "apps/training_report.h"

#include <millrace/core/shown_text.h>
#include <millrace/io/files.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/augmented_samples.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/run_files.h>
#include <millrace/training/sample_prints.h>
#include <millrace/training/transfer.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLabelWidth = 12;  // of lines about the run

Training prepare(const TrainSpec& spec, const ResumedRun* resumed, Show show,
                 std::stop_token stop) {
  if (spec.data.path.empty()) {
    throw UsageError("no DATA; give a folder that holds one folder of images for each class");
  }
  check(spec);
  TrainingData data = open_training_data(spec, show, stop);
  Counting counting(show, "fitting the preprocessing", "samples");
  Counting timing(show, "finding the fastest algorithms", "operations");
  return prepare_training(
      spec, std::move(data),
      {[&counting](std::uint64_t count) { counting(count); }, std::move(stop)}, nullptr,
      [&timing](std::uint64_t count) { timing(count); }, resumed);
}

/// What a failed stage says, and what could be done.
Error explained(const StageError& error, const TrainSpec& o) {
  const bool could_skip = error.stage() == "decode" && o.data.on_bad_image == BadImages::fail;
  return Error(
      concat(error.what(), could_skip ? " (or leave such files out: --on-bad-image skip)" : ""));
}

/// What the run needs loaded before it begins.
void load(Feed& feed, const TrainSpec& spec, Show show, std::stop_token stop) {
  const std::string what = feed.to_load();
  if (what.empty()) return;
  try {
    Counting counting(show, "loading " + what, "samples");
    print_left_out(
        feed.load({[&counting](std::uint64_t count) { counting(count); }, std::move(stop)}));
  } catch (const StageError& error) {
    throw explained(error, spec);
  }
  if (show == Show::nothing) return;
  std::string label = feed.name();
  label.resize(kLabelWidth, ' ');
  std::cout << label << feed.describe() << '\n' << std::flush;
}

/// Runs the pipeline and writes its report, also of a run that fails.
Told run_pipeline(Pipeline& pipeline, const Training& t, const RunDirectory& directory,
                  TrainingProgress& progress, std::stop_token stop) {
  const bool records = !t.engine->shares_host_memory() && t.spec.machine.profile;
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
    throw explained(error, t.spec);
  }
  return end();
}

/// Lets people look at what the model will see, before it sees it.
void write_augmented(const Training& t, const ContactSheet& sheet, const RunDirectory& directory,
                     Show show) {
  const std::vector<std::byte> png = png_of(sheet);
  write_file(directory.augmented_file(), png);
  if (t.spec.run.events) {
    EventLog(directory.events()).contact_sheet(png, sheet.height, sheet.width);
  }
  if (show != Show::nothing) {
    std::cout << "augmented   " << shown(directory.augmented_file().native()) << '\n' << std::flush;
  }
}

/// An old run is not replaced that this one begins with: its config.ini would name what is gone.
void check_replaced(const TrainSpec& o) {
  if (o.model.weights.empty()) return;
  const fs::path weights = weights_file(o.model.weights);
  if (fs::weakly_canonical(weights).parent_path() != fs::weakly_canonical(o.run.directory)) return;
  throw UsageError(concat("--overwrite would replace ", weights.string(),
                          ", with which this run begins; choose another --run-dir"));
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

Logger::Watchers watchers_of(TrainingProgress& progress) {
  return {.on_step = [&progress](const StepRecord& record) { progress.step(record); },
          .on_epoch = [&progress](const EpochRecord& record) { progress.epoch(record); }};
}

/// From a directory that is the run's to its last step.
int run_in(RunDirectory& directory, const Training& t, ResumedRun* resumed, Show show,
           Interrupt& interrupt) {
  if (!directory.is_locked()) {
    print_note(concat(shown(directory.path().native()),
                      ": its file system has no locks, so nothing keeps another process from "
                      "writing this run too"),
               show);
  }
  std::optional<ModelSize> dense;  // with the weights that training begins with
  if (t.pruner != nullptr) {
    dense = model_size(thawed(t.model), t.state->weights(), directory.path());
  }
  if (resumed != nullptr && !resume(t, *resumed, show)) return 0;
  if (t.pruner != nullptr) {
    t.pruner->begin(*t.state->executor, t.state->step, t.state->next.phase == Phase::validation);
  }
  directory.write_config(recipe_of(t.spec, t.goes_on));
  directory.write_choices(t.engine->choices());
  directory.write_data(
      to_json(record_of(t.data.training, t.data.validation, t.spec.labels.class_names)));
  const DirectoryReader reader = t.feed->reader();
  TrainingProgress progress(show, {.epochs = t.spec.epochs,
                                   .training_steps = reader.training_steps(),
                                   .validation_steps = reader.validation_steps(),
                                   .batch = t.spec.batch,
                                   .tells_accuracy = has_right_answers(t.compile.loss, t.model)});
  RunFiles files(directory, contents_of(t), file_options(t));
  Pipeline pipeline =  // from where the state is now
      compose_training(t, directory.trace_file(), both(files.watchers(), watchers_of(progress)));
  const Told told = run_pipeline(pipeline, t, directory, progress, interrupt.token());
  const bool is_stopped = told.report.stopped;
  if (is_stopped) files.write_stopped();
  print_outcome(told.report, t, directory, show);
  if (dense && !is_stopped) report_pruning(told, t, directory, *dense, show);
  return is_stopped ? interrupt.exit_status() : 0;
}

int run_training(Training t, const TrainOptions& options, ResumedRun* resumed, Show show,
                 Interrupt& interrupt) {
  const Pipeline plan = compose_training(t, t.spec.run.directory / "trace.json", {});
  if (options.print_plan) {
    std::cout << plan.plan() << device_memory(t).text();
    return 0;
  }
  if (options.overwrite) check_replaced(t.spec);
  std::optional<NewRunFolder> folder;
  if (t.spec.run.directory.empty()) t.spec.run.directory = folder.emplace().path();
  if (show != Show::nothing) print_choices(t);
  warn_of_pruning(t);
  plan.check();  // before anything is written or allocated
  check_device_memory(t);
  // All that can still fail comes before an old run is replaced.
  std::optional<ContactSheet> sheet;
  if (t.spec.images.show_augmented > 0 && resumed == nullptr) {
    sheet = augmented_samples(t.feed->options(), t.spec.images.show_augmented, interrupt.token());
  }
  load(*t.feed, t.spec, show, interrupt.token());
  allocate(t);
  if (resumed != nullptr) return run_in(resumed->directory, t, resumed, show, interrupt);
  RunDirectory directory(t.spec.run.directory, options.overwrite ? OldRun::replace : OldRun::refuse,
                         t.spec.run.keep_checkpoints);
  if (sheet) write_augmented(t, *sheet, directory, show);
  return run_in(directory, t, nullptr, show, interrupt);
}

/// For --resume: the run as it was begun, unless the command line says otherwise.
void begin_as_asked(CommandLine& line, TrainOptions& o) {
  if (o.resume.empty()) return;
  const char* const other = !line.recipe().empty()        ? "recipe"
                            : line.was_given("run-dir")   ? "run-dir"
                            : line.was_given("overwrite") ? "overwrite"
                                                          : nullptr;
  if (other != nullptr) {
    throw UsageError(
        concat("--resume goes on in ", o.resume, " as it was begun; leave out --", other));
  }
  begin_as_run(o.resume, line);
  o.spec.run.directory = o.resume;
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
  list(line, options);
  line.accept_recipe();
  line.then([&] { begin_as_asked(line, options); });
  if (!line.parse(arguments)) return 0;

  Interrupt interrupt(last_words());
  const Show show = how_to_show(options.quiet);
  try {
    const std::shared_ptr<ResumedRun> resumed = open_resumed(options, line);
    return run_training(prepare(options.spec, resumed.get(), show, interrupt.token()), options,
                        resumed.get(), show, interrupt);
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before training began\n";
    return interrupt.exit_status();
  } catch (const UsageError& error) {
    throw UsageError(concat("train: ", error.what()));
  }
}

}  // namespace millrace::apps

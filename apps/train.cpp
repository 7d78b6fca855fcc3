// millrace train: runs the training pipeline (training_pipeline.h) and writes a run directory.

#include "apps/commands.h"
#include "apps/event_log.h"
#include "apps/find_model.h"
#include "apps/gpu.h"
#include "apps/machine.h"
#include "apps/number_text.h"
#include "apps/prepare_training.h"
#include "apps/progress.h"
#include "apps/pruning_report.h"
#include "apps/replay.h"
#include "apps/resident.h"
#include "apps/run_directory.h"
#include "apps/run_files.h"
#include "apps/sample_prints.h"
#include "apps/show_augmented.h"
#include "apps/training_input.h"
#include "apps/training_losses.h"
#include "apps/training_memory.h"
#include "apps/training_pipeline.h"

#include <millrace/core/json_text.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/files.h>
#include <millrace/io/generated.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/pipeline/interrupt.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

namespace fs = std::filesystem;

Training prepare(TrainOptions options, Show show, std::stop_token stop) {
  if (options.data.empty()) {
    throw UsageError(
        "train: no DATA; give a folder that holds one folder of pictures for each class");
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

/// A model file as --model is a description: that its weights are not taken is to be seen.
std::string describe_new_weights(const Training& t) {
  const std::string& model = t.options.model;
  const bool is_new = t.pretrained == nullptr && t.options.callbacks.resume.empty();
  if (!is_new || !is_model_description(model) || is_json_file(model)) return "";
  return concat("weights     new and random, not those of ", shown(model), "; --weights ",
                shown(model), " begins with them\n");
}

void print_choices(const Training& t) {
  const TrainOptions& o = t.options;
  const auto count = [&] {
    std::int64_t sum = 0;
    for (const nn::LayerSummary& layer : nn::summarize(t.model)) sum += layer.parameters;
    return static_cast<std::uint64_t>(sum);
  }();
  std::cout << "data        " << shown(o.data) << ": " << t.data.description << '\n'
            << "validation  " << shown(t.data.validation_description) << '\n'
            << "model       " << shown(o.model) << ", input " << t.model.input << ", "
            << with_commas(count) << " parameters\n"
            << "input       " << nn::describe(t.model.preprocessing) << '\n'
            << describe_transfer(t.pretrained.get(), t.model) << describe_new_weights(t)
            << "training    " << o.epochs << " epochs, batch " << o.batch << ", " << o.optimizer
            << ", learning rate " << *o.learning_rate << describe(o.schedule) << ", seed " << o.seed
            << '\n'
            << (t.pruner != nullptr ? "pruning     " + describe(*t.pruner) + '\n' : "")
            << "device      " << t.engine->description() << '\n'
            << (t.engine->shares_host_memory() ? ""
                                               : "gpu memory  " + describe_device_memory(t) + '\n')
            << "threads     " << o.threads << " for reading and decoding, " << o.compute_threads
            << " for the model\n"
            << "memory      at most " << o.memory_budget << " of the machine's " << memory_limit()
            << '\n'
            << "run         " << shown(o.run_dir) << '\n';
}

/// The options as they were chosen, so that the run can be repeated from any folder.
std::string recipe_of(TrainOptions options) {
  for (std::string* path : {&options.data, &options.validation, &options.callbacks.csv_log}) {
    if (path->empty() || is_generated(*path)) continue;
    *path = fs::absolute(*path).string();
  }
  if (is_model_description(options.model)) {
    options.model = fs::absolute(options.model).string();
  }
  options.labels.class_names = class_names_text(options.labels.class_names);
  if (!options.transfer.weights.empty()) {
    options.transfer.weights = fs::absolute(weights_file(options.transfer.weights)).string();
  }
  CommandLine line("train", "", "");
  declare(line, options);
  return line.recipe({"run-dir", "overwrite", "print-plan", "quiet", "resume"});
}

/// What a failed stage says, and what could be done.
Error explained(const StageError& error, const TrainOptions& o) {
  const bool could_skip = error.stage() == "decode" && o.on_bad_image == "fail";
  return Error(
      concat(error.what(), could_skip ? " (or leave such files out: --on-bad-image skip)" : ""));
}

/// For --replay.
void load_kept_batches(const Training& t, Show show, std::stop_token stop) {
  try {
    print_left_out(load_kept(t, std::move(stop)));
  } catch (const StageError& error) {
    throw explained(error, t.options);
  }
  if (show == Show::nothing) return;
  std::cout << "replay      the first " << t.kept->size() << " batches, again and again\n"
            << std::flush;
}

/// For --resident.
void load_resident_data(const Training& t, Show show, std::stop_token stop) {
  try {
    Counting counting(show, "loading the data into the GPU's memory", "samples");
    print_left_out(
        load_resident(t, {[&counting](std::uint64_t count) { counting(count); }, std::move(stop)}));
  } catch (const StageError& error) {
    throw explained(error, t.options);
  }
  if (show == Show::nothing) return;
  std::cout << "resident    " << describe_resident(t) << " in the GPU's memory\n" << std::flush;
}

/// What a run came to, and further members of its report's JSON.
struct Told {
  Report report;
  std::vector<std::pair<std::string, std::string>> more;
};

/// The report with what its readers must know besides.
Told told(Report report, const Training& t, GpuRecording* recording, const fs::path& trace) {
  Told told{std::move(report), {}};
  told.more = left_out_of(t);
  if (t.kept != nullptr) told.report.remarks.push_back(describe_replay(t));
  if (t.resident != nullptr) told.report.remarks.push_back(resident_remark(t));
  if (const double steps_s = t.state->device_s; steps_s > 0) {
    told.report.remarks.push_back(concat("steps took ", duration_text(steps_s),
                                         " by the GPU's own clock, of ",
                                         duration_text(told.report.wall_s)));
    told.more.emplace_back("steps_device_s", json_number(steps_s));
  }
  if (recording != nullptr) told.more.emplace_back("gpu", recording->finish(told.report, trace));
  return told;
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

void print_outcome(const Report& report, const Training& t, const RunDirectory& directory,
                   Show show) {
  if (t.kept == nullptr && t.resident == nullptr) print_left_out(report);
  warn_of_lost(t);
  const std::string run = shown(directory.path().native());
  if (report.stopped) {
    const bool has_model = fs::exists(directory.model_file());
    std::cerr << "millrace: stopped by a signal after step " << t.state->step << "; "
              << (has_model ? "the model of the last whole epoch is in "
                            : "no epoch was whole, so no model was written to ")
              << run;
    if (!t.options.callbacks.no_checkpoints)
      std::cerr << "; go on with: millrace train --resume " << run;
    std::cerr << '\n';
  } else if (show != Show::nothing) {
    if (t.state->is_finished()) std::cout << t.state->reason() << '\n';
    std::cout << "the model is " << shown(directory.model_file().native())
              << "; the stage that set the pace was '" << report.bottleneck() << "'\n";
  }
}

/// What pruning came to, on the screen and in the report.
void report_pruning(Told told, const Training& t, const RunDirectory& directory,
                    const ModelSize& dense, Show show) {
  const ModelSize pruned = model_size(directory.model_file());
  const PruneSummary summary = as_saved(t.pruner->summary(), directory.model_file());
  told.more.emplace_back("pruning", to_json(dense, pruned, summary));
  directory.write_report(told.report, told.more);
  if (show == Show::nothing) return;
  print_pruned(std::cout, summary);
  std::cout << "size        " << size_line(dense, pruned) << '\n';
  const std::optional<std::uint64_t> end = t.pruner->options().schedule.end_step;
  if (end && *end > t.state->step) {
    std::cout << "note: training ended at step " << t.state->step
              << ", before the last mask at step " << *end << '\n';
  }
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

/// What pruning will not come to is told before the run.
void warn_of_pruning(const Training& t) {
  const TrainOptions& o = t.options;
  const std::uint64_t steps = std::uint64_t{make_reader(t).training_steps()} * o.epochs;
  const std::string line = unfinished_pruning(o.pruning, o.augmentation.keras_compat, steps);
  if (!line.empty()) std::cerr << "millrace: warning: " << line << '\n';
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
    sheet = augmented_samples(t, t.options.preprocessing.show_augmented, interrupt.token());
  }
  if (t.kept != nullptr) load_kept_batches(t, show, interrupt.token());
  if (t.resident != nullptr) load_resident_data(t, show, interrupt.token());
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
  TrainingProgress progress(show, t.options.epochs, t.options.batch);
  RunFiles files(t, directory, progress);
  Pipeline pipeline = compose(files.watchers());  // from where the state is now
  const Told told = run_pipeline(pipeline, t, directory, progress, interrupt.token());
  const bool is_stopped = told.report.stopped;
  if (is_stopped) files.write_stopped();
  print_outcome(told.report, t, directory, show);
  if (dense && !is_stopped) report_pruning(told, t, directory, *dense, show);
  return is_stopped ? interrupt.exit_status() : 0;
}

/// For --resume: the arguments with which the run was begun come from its config.ini, the command
/// line wins. Nothing where help was asked for and printed.
std::optional<Arguments> arguments_of_resumed(Arguments arguments) {
  TrainOptions options;
  CommandLine line("train", "", "");
  declare(line, options);
  line.accept_recipe();
  const bool resumes = std::any_of(arguments.begin(), arguments.end(), [](const std::string& word) {
    return word.rfind("--resume", 0) == 0;
  });
  if (!resumes) return arguments;
  if (!line.parse(arguments)) return std::nullopt;
  const fs::path run = options.callbacks.resume;
  for (const char* other : {"recipe", "run-dir", "overwrite"}) {
    if (line.was_given(other)) {
      throw UsageError(concat("train: --resume goes on in ", run.string(),
                              " as it was begun; leave out --", other));
    }
  }
  if (!fs::exists(run / "config.ini")) {
    throw Error(concat(run.string(), ": holds no run to go on with (no config.ini)"));
  }
  const std::string config = (run / "config.ini").string();
  arguments.insert(arguments.end(), {"--recipe", config, "--run-dir", run.string()});
  TrainOptions begun;
  CommandLine recipe("train", "", "");
  declare(recipe, begun);
  recipe.accept_recipe();
  (void)recipe.parse({"--recipe", config});
  // Begun before there was such an option, when pictures were taken as they are stored.
  constexpr const char* kAsStored = "no-exif-orientation";
  if (!recipe.was_given(kAsStored)) arguments.push_back(concat("--", kAsStored));
  return arguments;
}

}  // namespace

int train(const Arguments& arguments) {
  TrainOptions options;
  CommandLine line(
      "train", "train DATA [OPTIONS]",
      "Trains a model to tell classes apart. DATA is a folder with one folder of\n"
      "pictures for each class, or holds train/ and val/ or test/ of such; or it is an\n"
      "IDX data set or a CSV file of numbers with the class in the last column. Files in\n"
      "folders that are no pictures are left out and counted. What is not said is chosen\n"
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

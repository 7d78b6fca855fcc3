// millrace train: a training session (training/session.h), with words around it.

#include "apps/commands.h"
#include "apps/common/engine_choice.h"
#include "apps/common/gpu.h"
#include "apps/common/left_out_report.h"
#include "apps/common/progress.h"
#include "apps/train/train_options.h"
#include "apps/train/training_losses.h"
#include "apps/train/training_report.h"

#include <millrace/core/shown_text.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/feature_choice.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/run_config.h>
#include <millrace/training/run_memory.h>
#include <millrace/training/session.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

constexpr std::size_t kLabelWidth = 12;  // of lines about the run

/// Whether the command line itself says what the model is, or how samples become its input.
bool says_model(const OptionList& line) {
  return std::any_of(line.options().begin(), line.options().end(), [](const auto& option) {
    return option->is_of_model && option->source == OptionSource::command_line;
  });
}

/// For --resume: the run as it was begun, unless the command line says otherwise.
void begin_as_asked(CommandLine& line, TrainOptions& o) {
  if (o.resume.empty()) return;
  const char* const other = !line.recipe().empty()      ? "recipe"
                            : line.was_given("run-dir") ? "run-dir"
                            : o.spec.run.overwrite      ? "overwrite"
                                                        : nullptr;
  if (other != nullptr) {
    throw UsageError(concat("--resume continues the run in ", o.resume, "; leave out --", other));
  }
  if (line.was_given("show-augmented")) {
    throw UsageError("--show-augmented has no effect with --resume; leave it out");
  }
  begin_as_run(o.resume, line);
  o.spec.run.directory = o.resume;
}

/// What a failed stage says, and what could be done.
Error explained(const StageError& error, const TrainSpec& o) {
  const bool could_skip = error.stage() == "decode" && o.data.on_bad_image == BadImages::fail;
  return Error(
      concat(error.what(), could_skip ? " (or leave such files out: --on-bad-image skip)" : ""));
}

/// What a person sees of a run, and what of the GPU is added to its report.
class Teller {
 public:
  Teller(Show show, std::stop_token stop) : show_(show), stop_(std::move(stop)), work_(show) {}

  SessionWatch before_training() { return watch_of(work_, show_, stop_); }
  TrainingWatchers watchers(TrainingSession& session);
  /// Before more is printed.
  void clear() { work_.clear(); }
  /// What report_pruning() tells, once the run has ended.
  [[nodiscard]] const std::optional<ModelSize>& dense() const { return dense_; }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& more() const {
    return more_;
  }

 private:
  void print_loaded(const Feed& feed, const Report& report);
  void print_resumption(const Resumption& resumption, const RunDirectory& run);
  void begin(const TrainingSession& session);

  Show show_;
  std::stop_token stop_;
  WorkShown work_;
  std::optional<TrainingProgress> progress_;
  std::unique_ptr<GpuRecording> recording_;
  std::optional<ModelSize> dense_;  // with the weights that training begins with
  std::vector<std::pair<std::string, std::string>> more_;
};

void Teller::print_loaded(const Feed& feed, const Report& report) {
  work_.clear();
  print_left_out(report);
  if (show_ == Show::nothing) return;
  std::string label = feed.name();
  label.resize(kLabelWidth, ' ');
  std::cout << label << feed.describe() << '\n' << std::flush;
}

void Teller::print_resumption(const Resumption& resumption, const RunDirectory& run) {
  for (const std::string& line : resumption.warnings) {
    std::cerr << "millrace: " << shown(line) << '\n';
  }
  if (!resumption.why_not.empty()) {
    std::cout << shown(run.path().native()) << ": " << shown(resumption.why_not) << '\n';
    return;
  }
  if (show_ == Show::nothing) return;
  std::cout << "resumes    after step " << resumption.step << ", in epoch " << resumption.epoch
            << '\n';
  for (const std::string& line : resumption.anew) std::cout << "callbacks  " << line << '\n';
}

void Teller::begin(const TrainingSession& session) {
  const Training& t = session.training();
  const DirectoryReader reader = t.feed->reader();
  progress_.emplace(show_, RunSize{.epochs = t.spec.epochs,
                                   .training_steps = reader.training_steps(),
                                   .validation_steps = reader.validation_steps(),
                                   .batch = t.spec.batch,
                                   .tells_accuracy = has_right_answers(t.compile.loss, t.model)});
  if (t.recording.count > 0) recording_ = record_gpu();
}

TrainingWatchers Teller::watchers(TrainingSession& session) {
  const Training& t = session.training();
  return {.on_step = [this](const StepRecord& record) { progress_->step(record); },
          .on_epoch = [this](const EpochRecord& record) { progress_->epoch(record); },
          .before = before_training(),
          .on_loaded = [this, &t](const Report& report) { print_loaded(*t.feed, report); },
          .on_weights =
              [this, &session] {
                print_directory(session, show_);
                const Training& training = session.training();
                if (training.pruner == nullptr) return;
                dense_ = model_size(thawed(training.model), training.state->weights(),
                                    session.directory()->path());
              },
          .on_resumed =
              [this, &session](const Resumption& r) { print_resumption(r, *session.directory()); },
          .on_begin = [this, &session] { begin(session); },
          .on_end =
              [this, &session](Report& report) {
                progress_->finish();
                more_ = told(report, session.training(), recording_.get(),
                             session.directory()->trace_file());
                return more_;
              }};
}

/// After a failure: nothing is left that looks like a run and cannot be resumed.
void give_up(TrainingSession& session) {
  if (RunDirectory* const directory = session.directory()) directory->remove_if_fruitless();
}

int run_training(TrainingSession& session, const TrainOptions& options, Teller& teller, Show show,
                 Interrupt& interrupt) {
  teller.clear();
  if (options.print_plan) {
    const Training& t = session.training();
    std::cout << session.plan() << describe_features(t) << device_memory(t).text();
    return 0;
  }
  std::optional<NewRunFolder> folder;
  if (session.spec().run.directory.empty()) session.write_into(folder.emplace().path());
  if (show != Show::nothing) print_choices(session.training());
  warn_of_pruning(session.training());
  TrainingResult result;
  try {
    result = session.run(interrupt.token(), teller.watchers(session));
  } catch (const StageError& error) {
    give_up(session);
    throw explained(error, session.spec());
  } catch (...) {
    give_up(session);
    throw;
  }
  if (result.report.stages.empty()) return 0;  // nothing was left to train
  print_outcome(result.report, session.training(), *session.directory(), show);
  if (teller.dense() && !result.stopped) {
    report_pruning({result.report, teller.more()}, session.training(), *session.directory(),
                   *teller.dense(), show);
  }
  return result.stopped ? interrupt.exit_status() : 0;
}

/// The session of a command, with the engine that it asks for.
TrainingSession session_of(TrainOptions& o, bool keeps_model, Teller& teller) {
  SessionOptions options{.watch = teller.before_training(),
                         .stages = profiler_ranges(),
                         .planned_memory = planned_gpu_memory,
                         .recording = GpuRecording::bytes()};
  if (!o.resume.empty()) {
    options.resumed = open_resumed(o.resume, keeps_model, o.spec);
    for (const std::string& damage : options.resumed->point.damaged) {
      std::cerr << "millrace: passed over: " << shown(damage) << '\n';
    }
  }
  o.spec.machine.device = chosen_device(o.spec.machine.device);
  return {o.spec,
          [](const EngineRequest& request) {
            return engine_for({.machine = request.machine,
                               .timed = true,
                               .choices = request.choices,
                               .on_timing = request.on_timing});
          },
          options};
}

}  // namespace

int train(const Arguments& arguments) {
  TrainOptions options;
  CommandLine line(
      "train", "train DATA [OPTIONS]",
      "Trains a model to classify images or rows of a table, or to predict numbers or several "
      "labels of a row (--targets). DATA is a folder with one folder of images for each class, or "
      "with such folders in train/ and val/ or test/; an IDX data set; tar shards (WebDataset); "
      "or a CSV table of numbers with the class in its last column. Files in folders that are not "
      "images are left out and counted. Options that you leave out are chosen and printed.");
  list(line, options);
  line.accept_recipe();
  line.then([&] { begin_as_asked(line, options); });
  if (!line.parse(arguments)) return 0;

  Interrupt interrupt(last_words());
  const Show show = how_to_show(options.quiet);
  Teller teller(show, interrupt.token());
  try {
    TrainingSession session = session_of(options, !says_model(line), teller);
    return run_training(session, options, teller, show, interrupt);
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before training began\n";
    return interrupt.exit_status();
  } catch (const UsageError& error) {
    throw UsageError(concat("train: ", error.what()));
  }
}

}  // namespace millrace::apps

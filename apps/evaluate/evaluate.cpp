// millrace evaluate: loss, accuracy and figures of each class of a trained model on a data set,
// with the model's own preprocessing.

#include "apps/commands.h"
#include "apps/common/device_memory.h"
#include "apps/common/engine_choice.h"
#include "apps/common/left_out_report.h"
#include "apps/evaluate/evaluate_options.h"
#include "apps/evaluate/evaluation_report.h"

#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/evaluation.h>
#include <millrace/training/find_model.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/model_with_weights.h>
#include <millrace/training/outputs.h>
#include <millrace/training/run_directory.h>
#include <millrace/training/tables.h>
#include <millrace/training/training_data.h>
#include <millrace/training/transfer.h>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

/// What is measured, and with what.
struct Measuring {
  EvaluateOptions options;
  EvaluationData measured;
  std::shared_ptr<const nn::Engine> engine;
  std::shared_ptr<const EvaluationSession> session;
  std::shared_ptr<LostSamples> lost;  ///< with --on-bad-image skip, else null

  [[nodiscard]] const std::vector<std::string>& names() const { return measured.names; }
  [[nodiscard]] const SampleSet& data() const { return session->pass().samples(); }
};

/// What messages call the model by: its own file, or that of its weights, which may be in a run.
std::string subject_of(const EvaluateOptions& o) {
  const ModelSpec& model = o.request.model;
  return model.weights.empty() ? model.name : weights_file(model.weights).string();
}

/// The share of samples whose class is among the five likeliest is told where there are more.
bool counts_top_five(const std::vector<std::string>& names) {
  return names.size() > 5;
}

/// As the run measured what it kept back, where the user does not say otherwise.
void measure_as_in(const TrainSpec& run, EvaluateOptions& o) {
  o.batch = o.asked_batch.value_or(run.batch);
  if (!o.machine.precision && o.machine.device == run.machine.device) {
    o.machine.precision = run.machine.precision;
  }
}

/// Of losses as the run computed them: its val_loss has these in it.
nn::CompileOptions loss_as_in(const TrainSpec& run, const nn::Model& model) {
  return {.loss = evaluated_loss(run.loss, model),
          .label_smoothing = run.label_smoothing,
          .gradient = run.gradient};
}

/// Algorithms as the run chose them, so that its figures come out the same but for rounding: a
/// model without a backward pass may have other layouts in memory. Other batches have other
/// operations, of which the run chose nothing.
EngineChoice engine_choice(const EvaluateOptions& o, const EvaluationData& measured,
                           const SessionWatch& watch) {
  EngineChoice choice = timed(o.machine, watch);
  if (!measured.run || o.batch != measured.run->batch) return choice;
  std::error_code ignored;
  choice.choices = choices_file(model_file(subject_of(o)).parent_path());
  choice.choices_alone = std::filesystem::exists(choice.choices, ignored);
  return choice;
}

/// Opens the samples of DATA under the classes of the model.
EvaluationData open_data(const EvaluateOptions& o, const nn::Model& model,
                         const SessionWatch& watch) {
  return open_evaluation_data({subject_of(o), o.data, o.part, o.held_out, o.class_names,
                               for_model(o.table, model), o.on_bad_image == BadImages::skip},
                              model, watch);
}

EvaluationOptions session_options(const Measuring& e, const nn::Model& model) {
  const EvaluateOptions& o = e.options;
  EvaluationOptions result{.pass = {.batch = o.batch,
                                    .on_bad_image = e.lost != nullptr ? skip() : fail(),
                                    .lost = e.lost,
                                    .max_image_pixels = o.max_image_pixels,
                                    .budget = o.machine.memory_budget.value(),
                                    .threads = o.machine.threads},
                           .metrics = {.auc = o.auc}};
  if (model.targets.empty() && counts_top_five(e.names())) result.metrics.top_k = {5};
  if (e.measured.run) result.compile = loss_as_in(*e.measured.run, model);
  return result;
}

Measuring prepare(EvaluateOptions options, const SessionWatch& watch) {
  Measuring e;
  ModelWithWeights opened = open_model("evaluate", options.request);
  SavedModel& saved = opened.saved;
  check_outputs(saved.model, subject_of(options));
  e.measured = open_data(options, saved.model, watch);
  for (const std::string& note : opened.notes) watch.note(note);
  options.data = e.measured.data;
  if (e.measured.run) measure_as_in(*e.measured.run, options);
  e.engine = engine_for(engine_choice(options, e.measured, watch));
  SampleSet samples = std::move(e.measured.samples);
  const bool skips = options.on_bad_image == BadImages::skip;
  if (skips) e.lost = std::make_shared<LostSamples>(samples, SampleSet{});
  e.options = std::move(options);
  EvaluationOptions session = session_options(e, saved.model);
  e.session = std::make_shared<const EvaluationSession>(e.engine, std::move(saved),
                                                        std::move(samples), std::move(session));
  check_evaluation_memory(e.session->pass());
  return e;
}

std::uint64_t known_values(const nn::TargetMetrics& targets) {
  return static_cast<std::uint64_t>(nn::TargetMetrics::mean(targets.per_target()).known);
}

/// The loss of targets by its name, which is not of each run the same, and why it is below the mean
/// of the table.
void print_loss_of_targets(const Measuring& e, const nn::StepResult& sum,
                           const nn::TargetMetrics& targets) {
  const OnePass& pass = e.session->pass();
  const std::uint64_t all = static_cast<std::uint64_t>(sum.samples) * e.names().size();
  const std::uint64_t unknown = all - known_values(targets);
  std::cout << "loss      " << sum.mean_loss() << "  ("
            << nn::loss_info(meant_loss(pass.compile_options().loss, pass.model())).name << ')';
  if (unknown > 0) {
    std::cout << "; " << with_commas(unknown) << " unknown "
              << plural(unknown, "value adds", "values add") << " 0 to it";
  }
  std::cout << '\n';
}

void print_text(const Measuring& e, const Evaluation& result) {
  const auto& [sum, metrics, report, targets] = result;
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(sum.samples) / report.wall_s);
  const std::uint64_t left_out = e.data().size() - static_cast<std::uint64_t>(sum.samples);
  if (targets) {
    print_loss_of_targets(e, sum, *targets);
  } else {
    std::cout << std::fixed << std::setprecision(4) << "loss      " << sum.mean_loss() << '\n'
              << "accuracy  " << sum.accuracy() << "  (" << sum.correct << " of " << sum.samples
              << ")\n";
    if (counts_top_five(e.names())) std::cout << "top 5     " << metrics.top_k(5) << '\n';
  }
  std::cout << "samples   " << with_commas(static_cast<std::uint64_t>(sum.samples));
  if (left_out > 0) std::cout << ", " << with_commas(left_out) << " left out";
  const std::size_t missing = targets ? 0 : classes_without_samples(metrics, e.names()).size();
  if (missing > 0) {
    std::cout << "\nclasses   " << e.names().size() - missing << " of " << e.names().size()
              << " have samples; averages are over those";
  }
  std::cout << "\nspeed     " << with_commas(rate) << " images/s on " << e.engine->description()
            << "\n\n";
  targets ? print_targets(std::cout, *targets, e.names())
          : print_classes(std::cout, metrics, e.names());
}

void print_json(const Measuring& e, const Evaluation& evaluation) {
  const auto& [sum, metrics, report, targets] = evaluation;
  nlohmann::ordered_json result = {{"model", e.options.request.model.name}};
  if (const std::string& file = e.options.request.model.weights; !file.empty()) {
    result["weights"] = file;
  }
  result["data"] = e.options.data;
  result["loss"] = sum.mean_loss();
  if (!targets) {
    result["accuracy"] = sum.accuracy();
    result["correct"] = sum.correct;
  }
  result["samples"] = sum.samples;
  result.update(json_of(e.data().dataset->left_out(),
                        e.data().size() - static_cast<std::uint64_t>(sum.samples)));
  result["measured"] =
      measured(e.measured, sum.samples,
               targets ? std::vector<std::string>() : classes_without_samples(metrics, e.names()));
  result["seconds"] = report.wall_s;
  result["images_per_s"] = static_cast<double>(sum.samples) / report.wall_s;
  result["device"] = e.engine->description();
  if (!targets && counts_top_five(e.names())) result["top5"] = metrics.top_k(5);
  result.update(targets ? json_of(*targets, e.names()) : json_of(metrics, e.names()));
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

void name_left_out(const Measuring& e, const Report& report) {
  for (const std::string& reason : report.skipped) {
    std::cerr << "left out: " << shown(reason) << '\n';
  }
  const std::uint64_t count = report.stage("decode").skipped;
  if (count > report.skipped.size()) {
    std::cerr << "left out: " << count - report.skipped.size() << " more\n";
  }
  if (e.lost == nullptr) return;
  const std::string what = unit_of(*e.data().dataset, e.data().size());
  for (const std::string& line : e.lost->warnings(e.data(), Phase::training, what)) {
    std::cerr << "millrace: warning: " << shown(line) << '\n';
  }
}

}  // namespace

int evaluate(const Arguments& arguments) {
  EvaluateOptions options;
  CommandLine line(
      "evaluate", "evaluate MODEL [--weights FILE] [DATA] [OPTIONS]",
      "Measures the loss of a trained model and its accuracy and figures of each class, or the "
      "errors of each target. MODEL is a model.safetensors or a run directory, or with "
      "--weights a name such as vgg16; DATA is what "
      "'millrace train' takes, with the same classes or targets, though it may lack samples of "
      "some classes. Images are resized and scaled as in training. With --quiet or --json, what "
      "was left out of folders is counted on standard error.");
  list(line, options);
  if (!line.parse(arguments)) return 0;
  check(options);

  Interrupt interrupt(last_words());
  const Show show = how_to_show(options.quiet || options.json);
  try {
    WorkShown work(show);
    const Measuring e = prepare(std::move(options), watch_of(work, show, interrupt.token()));
    work.clear();
    const Evaluation result = [&] {
      Counting counting(show, "evaluating", "samples");
      return e.session->run(
          {[&counting](std::uint64_t count) { counting(count); }, interrupt.token()});
    }();
    name_left_out(e, result.report);
    if (!e.measured.warning.empty()) print_note(e.measured.warning, Show::nothing);
    if (result.report.stopped) throw Stopped("stopped by a signal");
    if (result.sum.samples == 0) throw Error(concat(e.options.data, ": no sample could be read"));
    if (result.targets && known_values(*result.targets) == 0) {
      throw Error(concat(e.options.data,
                         ": no target is known of any sample, so there is nothing to measure"));
    }
    e.options.json ? print_json(e, result) : print_text(e, result);
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before all samples were evaluated\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps

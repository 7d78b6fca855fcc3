// millrace evaluate: loss, accuracy and figures of each class of a trained model on a data set,
// with the model's own preprocessing.

#include "apps/commands.h"
#include "apps/data.h"
#include "apps/device_memory.h"
#include "apps/engine_choice.h"
#include "apps/evaluate_options.h"
#include "apps/evaluation_data.h"
#include "apps/evaluation_report.h"
#include "apps/left_out_report.h"
#include "apps/one_pass.h"

#include <millrace/core/number_text.h>
#include <millrace/core/shown_text.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/pipeline.h>
#include <millrace/training/find_model.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/outputs.h>
#include <millrace/training/tables.h>

#include <nlohmann/json.hpp>

#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <utility>

namespace millrace::apps {
namespace {

struct Evaluation {
  EvaluateOptions options;
  SavedModel saved;
  EvaluationData measured;
  SampleSet data;  ///< taken from `measured`
  std::shared_ptr<const nn::Engine> engine;
  std::shared_ptr<nn::Executor> executor;
  std::vector<std::string> names;     ///< of the classes
  std::shared_ptr<LostSamples> lost;  ///< with --on-bad-image skip, else null
};

/// The share of samples whose class is among the five likeliest is told where there are more.
bool counts_top_five(const Evaluation& e) {
  return e.names.size() > 5;
}

nn::ClassificationMetrics no_samples_yet(const Evaluation& e) {
  nn::MetricsOptions options{.auc = !e.options.no_auc, .outputs = nn::output_kind(e.saved.model)};
  if (counts_top_five(e)) options.top_k = {5};
  return nn::ClassificationMetrics(static_cast<std::int64_t>(e.names.size()), options);
}

/// What a step gives: sums, and the outputs and labels of its samples.
using OnStep = std::function<void(const nn::StepResult& sums, std::span<const float> outputs,
                                  const nn::Batch& batch)>;

OnePass pass_of(const Evaluation& e) {
  return {.model = e.saved.model,
          .samples = e.data,
          .machine = e.options.machine,
          .batch = e.options.batch,
          .max_image_pixels = e.options.max_image_pixels,
          .engine = e.engine};
}

/// As the run measured what it kept back, where the user does not say otherwise.
void measure_as_in(const TrainSpec& run, EvaluateOptions& o) {
  o.batch = o.asked_batch.value_or(run.batch);
  if (!o.machine.precision && o.machine.device == run.machine.device) {
    o.machine.precision = run.machine.precision;
  }
}

Evaluation prepare(EvaluateOptions options, Show show, std::stop_token stop) {
  Evaluation e;
  e.saved = load_trained_model("evaluate", options.model);
  check_outputs(e.saved.model, options.model);
  e.measured = open_evaluation_data({options.model, options.data, options.part, options.held_out,
                                     options.class_names, for_model(options.table, e.saved.model)},
                                    e.saved.model, show, std::move(stop));
  e.data = std::move(e.measured.samples);
  e.names = e.measured.names;
  options.data = e.measured.data;
  if (e.measured.run) measure_as_in(*e.measured.run, options);
  e.engine = engine_for({.machine = options.machine});
  e.options = std::move(options);
  if (e.options.on_bad_image == BadImages::skip)
    e.lost = std::make_shared<LostSamples>(e.data, SampleSet{});
  const OnePass pass = pass_of(e);
  nn::CompileOptions compile{.batch = e.options.batch,
                             .other_batches = make_reader(pass).short_batches(),
                             .training = false};
  if (e.measured.run) {  // its val_loss has these in it
    compile.label_smoothing = e.measured.run->label_smoothing;
    compile.gradient = e.measured.run->gradient;
    compile.loss = evaluated_loss(e.measured.run->loss, e.saved.model);
  }
  e.executor = e.engine->compile(e.saved.model, compile);
  check_evaluation_memory(*e.engine, *e.executor, compile, device_batches(pass), kDeviceBatches);
  return e;
}

/// list - decode - batch - copy - cast - evaluate.
Pipeline compose(const Evaluation& e, OnStep on_step) {
  const EvaluateOptions& o = e.options;
  const OnePass pass = pass_of(e);
  DirectoryReader reader = make_reader(pass);

  Pipeline p({.name = "evaluate",
              .budget = o.machine.memory_budget.value(),
              .threads = o.machine.threads});
  p.charge("index", 1, e.data.dataset->index_bytes());
  p.charge("order of samples", 1, reader.bytes());
  if (e.lost != nullptr) p.charge("samples that are left out", 1, e.lost->bytes());
  charge_model(p, *e.engine, e.executor->memory());
  p.charge("metrics", 1, no_samples_yet(e).bytes(e.data.size()));
  auto host = p.pool<HostBatch>("host batches", 3, host_batches(pass));
  auto device = p.pool<DeviceBatch>("device batches", kDeviceBatches, device_batches(pass));

  auto inputs = add_inputs(p, pass, std::move(reader), host, device,
                           o.on_bad_image == BadImages::skip ? skip() : fail(), e.lost);
  p.sink(
      inputs, {.name = "evaluate", .on = On::engine},
      [executor = e.executor, report = std::move(on_step), width = output_width(pass.model),
       memory = std::vector<float>(static_cast<std::size_t>(o.batch * output_width(pass.model)))](
          const Lease<DeviceBatch>& batch) mutable {
        if (batch->size == 0) return;
        const auto outputs = std::span(memory).first(static_cast<std::size_t>(batch->size * width));
        const nn::Batch view = batch->view();
        report(executor->evaluate(view, outputs), outputs, view);
      });
  return p;
}

void print_text(const Evaluation& e, const nn::StepResult& sum,
                const nn::ClassificationMetrics& metrics, const Report& report) {
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(sum.samples) / report.wall_s);
  const std::uint64_t left_out = e.data.size() - static_cast<std::uint64_t>(sum.samples);
  std::cout << std::fixed << std::setprecision(4) << "loss      " << sum.mean_loss() << '\n'
            << "accuracy  " << sum.accuracy() << "  (" << sum.correct << " of " << sum.samples
            << ")\n";
  if (counts_top_five(e)) std::cout << "top 5     " << metrics.top_k(5) << '\n';
  std::cout << "samples   " << with_commas(static_cast<std::uint64_t>(sum.samples));
  if (left_out > 0) std::cout << ", " << with_commas(left_out) << " left out";
  if (const std::size_t missing = classes_without_samples(metrics, e.names).size(); missing > 0) {
    std::cout << "\nclasses   " << e.names.size() - missing << " of " << e.names.size()
              << " have samples; averages are over those";
  }
  std::cout << "\nspeed     " << with_commas(rate) << " images/s on " << e.engine->description()
            << "\n\n";
  print_classes(std::cout, metrics, e.names);
}

void print_json(const Evaluation& e, const nn::StepResult& sum,
                const nn::ClassificationMetrics& metrics, const Report& report) {
  nlohmann::ordered_json result = {{"model", e.options.model}, {"data", e.options.data},
                                   {"loss", sum.mean_loss()},  {"accuracy", sum.accuracy()},
                                   {"correct", sum.correct},   {"samples", sum.samples}};
  result.update(
      json_of(e.data.dataset->left_out(), e.data.size() - static_cast<std::uint64_t>(sum.samples)));
  result["measured"] = measured(e.measured, sum.samples, classes_without_samples(metrics, e.names));
  result["seconds"] = report.wall_s;
  result["images_per_s"] = static_cast<double>(sum.samples) / report.wall_s;
  result["device"] = e.engine->description();
  if (counts_top_five(e)) result["top5"] = metrics.top_k(5);
  result.update(json_of(metrics, e.names));
  std::cout << result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

void name_left_out(const Evaluation& e, const Report& report) {
  for (const std::string& reason : report.skipped) {
    std::cerr << "left out: " << shown(reason) << '\n';
  }
  const std::uint64_t count = report.stage("decode").skipped;
  if (count > report.skipped.size()) {
    std::cerr << "left out: " << count - report.skipped.size() << " more\n";
  }
  if (e.lost == nullptr) return;
  const std::string what = unit_of(*e.data.dataset, e.data.size());
  for (const std::string& line : e.lost->warnings(e.data, Phase::training, what)) {
    std::cerr << "millrace: warning: " << shown(line) << '\n';
  }
}

}  // namespace

int evaluate(const Arguments& arguments) {
  EvaluateOptions options;
  CommandLine line(
      "evaluate", "evaluate MODEL [DATA] [OPTIONS]",
      "Measures loss, accuracy and the figures of each class of a trained model. "
      "MODEL is a model.safetensors or "
      "a run directory;\nDATA is what 'millrace train' takes, with the same classes; it "
      "may lack images of some. Images are\nresized and scaled as in training. "
      "With --quiet or --json, what was left out of folders is counted\non standard "
      "error.");
  list(line, options);
  if (!line.parse(arguments)) return 0;
  check(options);

  Interrupt interrupt;
  const Show show = how_to_show(options.quiet || options.json);
  try {
    const Evaluation e = prepare(std::move(options), show, interrupt.token());
    nn::StepResult sum;
    nn::ClassificationMetrics metrics = no_samples_yet(e);
    Report report;
    {
      Counting counting(show, "evaluating", "samples");
      metrics.reserve(e.data.size());
      Pipeline p = compose(e, [&](const nn::StepResult& step, std::span<const float> outputs,
                                  const nn::Batch& batch) {
        sum += step;
        metrics.add(outputs, batch.labels, batch.samples);
        counting(static_cast<std::uint64_t>(sum.samples));
      });
      p.check();
      e.executor->allocate();
      e.executor->write(nn::Arena::parameters, e.saved.parameters);
      report = p.run(interrupt.token());
    }
    name_left_out(e, report);
    if (!e.measured.warning.empty()) std::cerr << "millrace: " << e.measured.warning << '\n';
    if (report.stopped) throw Stopped("stopped by a signal");
    if (sum.samples == 0) throw Error(concat(e.options.data, ": no sample could be read"));
    e.options.json ? print_json(e, sum, metrics, report) : print_text(e, sum, metrics, report);
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before all samples were evaluated\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps

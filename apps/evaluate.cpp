// millrace evaluate: loss, accuracy and figures of each class of a trained model on a data set,
// with the model's own preprocessing.

#include "apps/choose.h"
#include "apps/commands.h"
#include "apps/data.h"
#include "apps/device_memory.h"
#include "apps/evaluation_report.h"
#include "apps/find_model.h"
#include "apps/left_out_report.h"
#include "apps/machine.h"
#include "apps/machine_options.h"
#include "apps/outputs.h"

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/standardize.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/pipeline.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <utility>

namespace millrace::apps {
namespace {

struct EvaluateOptions {
  std::string model, data, part;
  std::int64_t batch = 32;
  std::string on_bad_image = "fail";
  MachineOptions machine;
  bool no_auc = false;
  bool json = false;
  bool quiet = false;
};

void declare(CommandLine& line, EvaluateOptions& o) {
  line.positional("model", o.model);
  line.positional("data", o.data);
  line.topic("data", "Data");
  line("part", o.part, "train|validation",
       "which part of DATA; default: val/ or test/ where there is one, else all of it");
  line("batch", o.batch, "N", "samples of a step; default 32");
  line("on-bad-image", o.on_bad_image, "fail|skip",
       "a picture that cannot be read ends the run (default) or is left out");
  declare(line, o.machine);
  line.topic("output", "Output");
  line("no-auc", o.no_auc, "", "leave out the areas under ROC curves, which keep all outputs");
  line("json", o.json, "", "print one JSON object instead of text");
  line("quiet", o.quiet, "", "print the result and errors only");
}

void check(EvaluateOptions& o) {
  if (o.data.empty()) throw UsageError("evaluate: needs MODEL and DATA");
  if (o.batch < 1) throw UsageError(concat("evaluate: --batch must be 1 or more, not ", o.batch));
  if (o.on_bad_image != "fail" && o.on_bad_image != "skip") {
    throw UsageError(concat("evaluate: --on-bad-image must be fail or skip, not ", o.on_bad_image));
  }
  if (!o.part.empty() && o.part != "train" && o.part != "validation") {
    throw UsageError(concat("evaluate: --part must be train or validation, not ", o.part));
  }
  check_and_choose("evaluate", o.machine);
}

/// The first name of `names` that is not in `others`, or nothing.
const std::string* missing_in(const std::vector<std::string>& others,
                              const std::vector<std::string>& names) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return std::find(others.begin(), others.end(), name) == others.end();
  });
  return found == names.end() ? nullptr : &*found;
}

/// Throws Error unless labels and samples mean to the data set what they mean to the model.
void check_fit(const nn::Model& model, const Dataset& dataset, const std::string& data) {
  const std::vector<std::string> wanted = class_names(model);
  const std::vector<std::string>& given = dataset.classes();
  if (model.classes.empty() && wanted.size() != given.size()) {
    throw Error(concat(data, ": has ", given.size(), ' ', plural(given.size(), "class", "classes"),
                       ", the model tells ", wanted.size()));
  }
  if (!model.classes.empty() && wanted != given) {
    const std::string* lacking = missing_in(given, wanted);
    const std::string* extra = missing_in(wanted, given);
    throw Error(
        concat(data,
               lacking != nullptr ? concat(": lacks the class '", *lacking, "' of the model")
               : extra != nullptr ? concat(": has a class '", *extra, "' that the model lacks")
                                  : std::string(": has the model's classes in another order"),
               "; both must have the same classes"));
  }
  const Shape natural = dataset.natural_shape();
  const bool is_table = dataset.dtype() == DType::f32;
  if (is_table ? natural != model.input : model.input.rank() != 3) {
    throw Error(concat(data, ": holds ", is_table ? concat("rows of ", natural) : "pictures",
                       ", the input of the model is ", model.input));
  }
}

struct Evaluation {
  EvaluateOptions options;
  SavedModel saved;
  SampleSet data;
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
  nn::MetricsOptions options{.auc = !e.options.no_auc};
  if (counts_top_five(e)) options.top_k = {5};
  return nn::ClassificationMetrics(static_cast<std::int64_t>(e.names.size()), options);
}

/// What a step gives: sums, and the outputs and labels of its samples.
using OnStep = std::function<void(const nn::StepResult& sums, std::span<const float> outputs,
                                  const nn::Batch& batch)>;

DirectoryReader make_reader(const Evaluation& e) {
  return DirectoryReader(e.data, {},
                         {.batch = e.options.batch,
                          .shuffle = false,
                          .ticket_samples = ticket_samples(e.saved.model.input)});
}

DeviceBatchFactory device_batches(const Evaluation& e) {
  const nn::Model& model = e.saved.model;
  return {e.engine, model.input, nn::host_dtype(model.preprocessing, e.data.dataset->dtype()),
          e.options.batch};
}

Evaluation prepare(EvaluateOptions options, Show show, std::stop_token stop) {
  Evaluation e;
  e.saved = load_trained_model("evaluate", options.model);
  check_outputs(e.saved.model, options.model);
  e.data = SampleSet::all(open_evaluation_data(options.data, options.part, e.saved.model.classes,
                                               show, std::move(stop)));
  check_outputs(e.saved.model, options.model,
                static_cast<std::int64_t>(e.data.dataset->classes().size()));
  check_fit(e.saved.model, *e.data.dataset, options.data);
  e.names = class_names(e.saved.model);
  e.engine = engine_for(options.machine.engine());
  e.options = std::move(options);
  if (e.options.on_bad_image == "skip") e.lost = std::make_shared<LostSamples>(e.data, SampleSet{});
  const nn::CompileOptions compile{
      .batch = e.options.batch, .other_batches = make_reader(e).short_batches(), .training = false};
  e.executor = e.engine->compile(e.saved.model, compile);
  check_evaluation_memory(*e.engine, *e.executor, compile, device_batches(e), kDeviceBatches);
  return e;
}

/// list - decode - batch - copy - cast - evaluate.
Pipeline compose(const Evaluation& e, OnStep on_step) {
  const EvaluateOptions& o = e.options;
  const nn::Model& model = e.saved.model;
  const DType dtype = nn::host_dtype(model.preprocessing, e.data.dataset->dtype());
  const std::shared_ptr<const nn::Engine> engine = e.engine;
  DirectoryReader reader = make_reader(e);

  Pipeline p({.name = "evaluate",
              .budget = parse_bytes(o.machine.memory_budget),
              .threads = o.machine.threads});
  p.charge("index", 1, e.data.dataset->index_bytes());
  p.charge("order of samples", 1, reader.bytes());
  if (e.lost != nullptr) p.charge("samples that are left out", 1, e.lost->bytes());
  charge_model(p, *e.engine, e.executor->memory());
  p.charge("metrics", 1, no_samples_yet(e).bytes(e.data.size()));
  auto host = p.pool<HostBatch>("host batches", 3,
                                HostBatchFactory{model.input, dtype, o.batch, [engine](Bytes size) {
                                                   return engine->host_buffer(size);
                                                 }});
  auto device = p.pool<DeviceBatch>("device batches", kDeviceBatches, device_batches(e));

  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(
      tickets,
      {.name = "decode",
       .concurrency = kAllThreads,
       .on_error = o.on_bad_image == "skip" ? skip() : fail()},
      DecodeInto(e.data.dataset, nullptr, filter_from_name(model.preprocessing.filter),
                 decoder_options(parse_bytes(o.machine.memory_budget), o.machine.threads), e.lost));
  if (nn::needs_whole_samples(model.preprocessing)) {
    charge_whitening(p, model.preprocessing);
    pixels = p.then(pixels, {.name = "standardize", .concurrency = kAllThreads},
                    Standardize(model.preprocessing, model.input));
  }
  auto batches = p.then(p.gather(pixels), {.name = "batch"}, Batcher{});
  auto on_device = p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"},
                          CopyToDevice(engine));
  auto inputs = p.then(on_device, {.name = "cast"}, Cast(model.preprocessing, model.input));
  p.sink(inputs, {.name = "evaluate", .on = On::engine},
         [executor = e.executor, report = std::move(on_step), width = output_width(model),
          memory = std::vector<float>(static_cast<std::size_t>(o.batch * output_width(model)))](
             const Lease<DeviceBatch>& batch) mutable {
           if (batch->size == 0) return;
           const auto outputs =
               std::span(memory).first(static_cast<std::size_t>(batch->size * width));
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
      "evaluate", "evaluate MODEL DATA [OPTIONS]",
      "Measures loss, accuracy and the figures of each class of a trained model. "
      "MODEL is a model.safetensors or "
      "a run directory;\nDATA is what 'millrace train' takes, with the same classes; it "
      "may lack pictures of some. Pictures are\nresized and scaled as in training. "
      "With --quiet or --json, what was left out of folders is counted\non standard "
      "error.");
  declare(line, options);
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

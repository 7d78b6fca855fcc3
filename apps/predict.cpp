// millrace predict: the classes that a trained model sees in images or rows of tables, a line
// each.

#include "apps/command_line.h"
#include "apps/commands.h"
#include "apps/device_memory.h"
#include "apps/engine_choice.h"
#include "apps/file_list.h"
#include "apps/left_out_report.h"
#include "apps/one_pass.h"
#include "apps/table_rows.h"

#include <millrace/core/shown_text.h>
#include <millrace/nn/probabilities.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/pipeline.h>
#include <millrace/training/find_model.h>
#include <millrace/training/options/options.h>
#include <millrace/training/outputs.h>
#include <millrace/training/tables.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

namespace millrace::apps {
namespace {

struct PredictOptions {
  std::string model;
  std::vector<std::string> paths;
  std::int64_t top = 1;
  bool json = false;
  std::int64_t batch = 32;
  std::uint64_t max_image_pixels = kMaxImagePixels;
  CsvOptions table;
  MachineSpec machine;
};

void list(CommandLine& line, PredictOptions& o) {
  line.positional("model", o.model);
  line.positional_many("path", o.paths);
  line.topic("output", "Output");
  line("top", o.top, "K", "the K likeliest classes of each image or row; default 1", at_least(1));
  line("json", o.json, "",
       "one JSON object a line instead of text between tabs; a last one with \"left_out\" where "
       "files were");
  line.topic("data", "Data");
  list_max_image_pixels(line, o.max_image_pixels);
  list_table(line, o.table, true);
  list_machine(line, o.machine);
  line("batch", o.batch, "N", "samples of a step; default 32", at_least(1));
}

void check(PredictOptions& o) {
  if (o.paths.empty()) throw UsageError("predict: needs MODEL and at least one PATH");
  choose(o.machine);
}

/// The model's outputs for a batch of samples.
struct Outputs {
  std::vector<float> values;           ///< [capacity][width]
  std::vector<std::uint32_t> samples;  ///< [capacity] which ones
  std::int64_t size = 0;
};

/// Makes the slots of a pool of them.
struct OutputsFactory {
  std::size_t rows = 0, width = 0;

  [[nodiscard]] Outputs operator()() const {
    return {std::vector<float>(rows * width), std::vector<std::uint32_t>(rows)};
  }
  [[nodiscard]] Bytes bytes() const {
    return {rows * (width * sizeof(float) + sizeof(std::uint32_t))};
  }
};

struct Prediction {
  PredictOptions options;
  SavedModel saved;
  SampleSet samples;                      ///< images or rows
  std::shared_ptr<const TableRows> rows;  ///< null: images
  std::shared_ptr<const nn::Engine> engine;
  std::shared_ptr<nn::Executor> executor;
};

/// A node for the engine's thread.
class Predict {
 public:
  explicit Predict(std::shared_ptr<nn::Executor> executor) : executor_(std::move(executor)) {}
  Lease<Outputs> operator()(const With<Lease<DeviceBatch>, Outputs>& batch) const {
    Outputs& outputs = *batch.slot;
    outputs.size = batch.item->size;
    if (outputs.size == 0) return batch.slot;
    executor_->predict(batch.item->view(), outputs.values);
    // One pass in the order of the list: a sample's position in it is its number.
    for (std::size_t i = 0; i < static_cast<std::size_t>(outputs.size); ++i) {
      outputs.samples[i] = static_cast<std::uint32_t>(batch.item->positions[i]);
    }
    return batch.slot;
  }

 private:
  std::shared_ptr<nn::Executor> executor_;
};

/// Prints a line a sample.
class Printer {
 public:
  explicit Printer(const Prediction& prediction)
      : prediction_(prediction),
        classes_(class_names(prediction.saved.model)),
        outputs_(nn::output_kind(prediction.saved.model)) {}

  void operator()(const Lease<Outputs>& outputs) const {
    const auto width = outputs->values.size() / outputs->samples.size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(outputs->size); ++i) {
      print(
          outputs->samples[i],
          nn::class_probabilities(outputs_, std::span(outputs->values).subspan(i * width, width)));
    }
    std::cout.flush();
  }

 private:
  void print(std::uint32_t sample, const std::vector<double>& p) const {
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(prediction_.options.top)));
    prediction_.options.json ? print_json(sample, p, order) : print_text(sample, p, order);
  }
  void print_text(std::uint32_t sample, const std::vector<double>& p,
                  const std::vector<std::size_t>& order) const {
    std::cout << shown(prediction_.samples.dataset->name(sample)) << std::fixed
              << std::setprecision(4);
    for (const std::size_t i : order) std::cout << '\t' << shown(classes_[i]) << '\t' << p[i];
    std::cout << '\n';
  }
  void print_json(std::uint32_t sample, const std::vector<double>& p,
                  const std::vector<std::size_t>& order) const {
    nlohmann::ordered_json line = place_of(sample);
    line["classes"] = nlohmann::ordered_json::array();
    for (const std::size_t i : order) {
      line["classes"].push_back({{"class", classes_[i]}, {"probability", p[i]}});
    }
    std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
  }

  nlohmann::ordered_json place_of(std::uint32_t sample) const {
    if (prediction_.rows == nullptr) return {{"path", prediction_.samples.dataset->name(sample)}};
    const auto [table, row] = prediction_.rows->place(sample);
    return {{"path", table.file()}, {"row", row}};
  }

  const Prediction& prediction_;
  std::vector<std::string> classes_;
  nn::OutputKind outputs_;
};

OnePass pass_of(const Prediction& t) {
  return {.model = t.saved.model,
          .samples = t.samples,
          .machine = t.options.machine,
          .batch = t.options.batch,
          .max_image_pixels = t.options.max_image_pixels,
          .engine = t.engine};
}

/// list - decode - batch - copy - cast - predict - print.
Pipeline compose(const Prediction& t) {
  const OnePass pass = pass_of(t);
  DirectoryReader reader = make_reader(pass);

  Pipeline p({.name = "predict",
              .budget = t.options.machine.memory_budget.value(),
              .threads = t.options.machine.threads});
  p.charge("index", 1, t.samples.dataset->index_bytes());
  p.charge("order of samples", 1, reader.bytes());
  charge_model(p, *t.engine, t.executor->memory());
  auto host = p.pool<HostBatch>("host batches", 3, host_batches(pass));
  auto device = p.pool<DeviceBatch>("device batches", kDeviceBatches, device_batches(pass));
  auto outputs =
      p.pool<Outputs>("outputs", 2,
                      OutputsFactory{static_cast<std::size_t>(pass.batch),
                                     static_cast<std::size_t>(output_width(pass.model))});

  auto inputs = add_inputs(p, pass, std::move(reader), host, device, skip());
  auto predicted = p.then(p.with(inputs, {.name = "output slot"}, outputs),
                          {.name = "predict", .on = On::engine}, Predict(t.executor));
  p.sink(predicted, {.name = "print", .on = On::blocking}, Printer(t));
  return p;
}

void prepare(Prediction& t) {
  t.options.batch = std::min<std::int64_t>(t.options.batch, t.samples.size());
  t.engine = engine_for({.machine = t.options.machine});
  const OnePass pass = pass_of(t);
  const nn::CompileOptions compile{.batch = t.options.batch,
                                   .other_batches = make_reader(pass).short_batches(),
                                   .training = false};
  t.executor = t.engine->compile(t.saved.model, compile);
  check_evaluation_memory(*t.engine, *t.executor, compile, device_batches(pass), kDeviceBatches);
}

/// Finds what there is to predict; false if there is nothing.
bool open_samples(Prediction& t, FoundFiles found, Complaints& complaints) {
  if (found.files.empty()) return false;
  CsvOptions table = for_model(t.options.table, t.saved.model);
  if (t.saved.model.input.rank() == 1) {
    table.needs_label = false;
    t.rows = open_tables(found.files, table, complaints);
    if (t.rows != nullptr) t.samples = SampleSet::all(t.rows);
    return t.rows != nullptr;
  }
  check_is_table(table, found.files.front(), false);
  const auto complain = [&](const std::string& why) { complaints.not_decoded(why); };
  t.samples = SampleSet::all(std::make_shared<FileList>(std::move(found.files), complain));
  return true;
}

}  // namespace

int predict(const Arguments& arguments) {
  PredictOptions options;
  CommandLine line("predict", "predict MODEL PATH... [OPTIONS]",
                   "Prints path, class and probability of each image, a line an image. MODEL is "
                   "a model.safetensors\nor a run directory. A PATH is an image, a folder (with "
                   "all below it, links followed) or a pattern in\nquotes. Images that cannot be "
                   "read are named on standard error; the exit status is then 1. What else\nis "
                   "left out of folders is counted there in one line, by reason. For a model of "
                   "tables a PATH is a\ntable; it may lack the column of the label, and its rows "
                   "are numbered from 0, the header not counted.");
  list(line, options);
  if (!line.parse(arguments)) return 0;
  check(options);

  Interrupt interrupt;
  Prediction t;
  t.saved = load_trained_model("predict", options.model);  // a wrong MODEL is the first to say
  check_outputs(t.saved.model, options.model);
  const bool is_of_tables = t.saved.model.input.rank() == 1;
  FoundFiles found = is_of_tables ? find_tables(options.paths) : find_files(options.paths);
  t.options = std::move(options);
  Complaints complaints(std::move(found.left_out));
  for (const std::string& problem : found.problems) complaints.say(problem);
  const bool json = t.options.json;
  if (!open_samples(t, std::move(found), complaints)) {
    complaints.sum_up(json);
    return 1;
  }
  prepare(t);
  Pipeline p = compose(t);
  p.check();
  t.executor->allocate();
  t.executor->write(nn::Arena::parameters, t.saved.parameters);
  const Report report = p.run(interrupt.token());
  if (report.stopped) {
    std::cerr << "millrace: stopped by a signal before all samples were looked at\n";
    return interrupt.exit_status();
  }
  complaints.sum_up(json);
  return complaints.is_complete() ? 0 : 1;
}

}  // namespace millrace::apps

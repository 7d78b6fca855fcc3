// millrace predict: the classes that a trained model sees in images or rows of tables, a line
// each.

#include "apps/commands.h"
#include "apps/common/command_line.h"
#include "apps/common/device_memory.h"
#include "apps/common/engine_choice.h"
#include "apps/common/left_out_report.h"
#include "apps/predict/file_list.h"
#include "apps/predict/table_rows.h"

#include <millrace/core/shown_text.h>
#include <millrace/nn/probabilities.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/find_model.h>
#include <millrace/training/model_with_weights.h>
#include <millrace/training/options/options.h>
#include <millrace/training/outputs.h>
#include <millrace/training/prediction.h>
#include <millrace/training/tables.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <iomanip>
#include <iostream>
#include <memory>
#include <numeric>
#include <utility>

namespace millrace::apps {
namespace {

struct PredictOptions {
  ModelRequest request;
  std::vector<std::string> paths;
  std::int64_t top = 1;
  bool json = false;
  std::vector<std::string> class_names;
  std::int64_t batch = 32;
  std::uint64_t max_image_pixels = kMaxImagePixels;
  CsvOptions table;
  MachineSpec machine;
};

void list(CommandLine& line, PredictOptions& o) {
  line.positional("model", o.request.model.name);
  line.positional_many(o.paths);
  line.topic("output", "Output");
  line("top", o.top, "K", "the K likeliest classes of each image or row", at_least(1));
  line("json", o.json, "",
       "one JSON object a line instead of text between tabs; a last one with \"left_out\" where "
       "files were");
  list_request(line, o.request);
  line.topic("data", "Data");
  list_class_names(line, o.class_names);
  line("batch", o.batch, "N", "samples in a step", within(1, 1'000'000));
  list_max_image_pixels(line, o.max_image_pixels);
  list_table(line, o.table, true);
  list_machine(line, o.machine);
}

void check(PredictOptions& o) {
  if (o.paths.empty()) throw UsageError("predict: needs MODEL and at least one PATH");
  choose(o.machine);
}

struct Prediction {
  PredictOptions options;
  SavedModel saved;                       ///< the session's, once there is one
  SampleSet samples;                      ///< images or rows; likewise
  std::shared_ptr<const TableRows> rows;  ///< null: images
};

/// The shortest that float32 reads back equal, since targets may be of any size.
std::string text_of(float value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// Prints a line a sample.
class Printer {
 public:
  Printer(const PredictOptions& options, const TableRows* rows, const OnePass& pass)
      : options_(options),
        rows_(rows),
        dataset_(*pass.samples().dataset),
        classes_(class_names(pass.model())),
        targets_(pass.model().targets),
        outputs_(nn::output_kind(pass.model())) {}

  void operator()(const Predicted& some) const {
    for (std::size_t i = 0; i < some.samples.size(); ++i) {
      if (!targets_.empty())
        print_targets(some.samples[i], some.outputs(i));
      else
        print(some.samples[i], nn::class_probabilities(outputs_, some.outputs(i)));
    }
    std::cout.flush();
  }

 private:
  void print(std::uint32_t sample, const std::vector<double>& p) const {
    std::vector<std::size_t> order(p.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(options_.top)));
    options_.json ? print_json(sample, p, order) : print_text(sample, p, order);
  }
  void print_text(std::uint32_t sample, const std::vector<double>& p,
                  const std::vector<std::size_t>& order) const {
    std::cout << shown(dataset_.name(sample)) << std::fixed << std::setprecision(4);
    for (const std::size_t i : order) std::cout << '\t' << shown(classes_[i]) << '\t' << p[i];
    std::cout << '\n';
  }
  void print_json(std::uint32_t sample, const std::vector<double>& p,
                  const std::vector<std::size_t>& order) const {
    nlohmann::ordered_json line = place_of(sample);
    line["classes"] = nlohmann::ordered_json::array();
    for (const std::size_t i : order) {
      line["classes"].push_back({{"class", classes_[i]}, {"index", i}, {"probability", p[i]}});
    }
    std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
  }

  void print_targets(std::uint32_t sample, std::span<const float> values) const {
    if (!options_.json) {
      std::cout << shown(dataset_.name(sample));
      for (std::size_t i = 0; i < values.size(); ++i) {
        std::cout << '\t' << shown(targets_[i]) << '\t' << text_of(values[i]);
      }
      std::cout << '\n';
      return;
    }
    nlohmann::ordered_json line = place_of(sample);
    line["targets"] = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < values.size(); ++i) line["targets"][targets_[i]] = values[i];
    std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
              << '\n';
  }

  nlohmann::ordered_json place_of(std::uint32_t sample) const {
    if (rows_ == nullptr) return {{"path", dataset_.name(sample)}};
    const auto [table, row] = rows_->place(sample);
    return {{"path", table.file()}, {"row", row}};
  }

  const PredictOptions& options_;
  const TableRows* rows_;  // or null
  const Dataset& dataset_;
  std::vector<std::string> classes_, targets_;  // of the model, which has one of them
  nn::OutputKind outputs_;
};

PredictionSession session_of(Prediction& t, const SessionWatch& watch) {
  const MachineSpec& machine = t.options.machine;
  return PredictionSession(engine_for(timed(machine, watch)), std::move(t.saved),
                           std::move(t.samples),
                           {.batch = t.options.batch,
                            .on_bad_image = skip(),
                            .max_image_pixels = t.options.max_image_pixels,
                            .budget = machine.memory_budget.value(),
                            .threads = machine.threads});
}

/// The model, of which every sample is asked in the same way.
void open_asked(Prediction& t, const PredictOptions& o) {
  const std::string& name = o.request.model.name;
  ModelWithWeights opened = open_model("predict", o.request);
  t.saved = std::move(opened.saved);
  name_classes("predict", o.class_names, t.saved.model);
  check_outputs(t.saved.model, name);
  if (!t.saved.model.targets.empty() && o.top != 1) {
    throw UsageError(
        concat("predict: --top is for classes, and ", name, " gives targets; leave it out"));
  }
  for (const std::string& note : opened.notes) print_note(note, Show::nothing);
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
  t.samples = SampleSet::all(std::make_shared<FileList>(std::move(found), complain));
  return true;
}

/// Prints what the model makes of all samples; false if it was stopped before.
bool print_all(Prediction& t, const std::stop_token& stop) {
  WorkShown work(how_to_show(t.options.json));
  try {
    const PredictionSession session = session_of(t, watch_of(work, Show::nothing, stop));
    work.clear();
    check_evaluation_memory(session.pass());
    return !session.run(Printer(t.options, t.rows.get(), session.pass()), stop).stopped;
  } catch (const Stopped&) {
    return false;
  }
}

}  // namespace

int predict(const Arguments& arguments) {
  PredictOptions options;
  CommandLine line(
      "predict", "predict MODEL [--weights FILE] PATH... [OPTIONS]",
      "Prints a line for each image: its path, then class and probability, or the name and value "
      "of each target. MODEL is a model.safetensors or a run directory, or with --weights a "
      "name such as vgg16. A PATH is an image, a "
      "folder (with all below it, following links), a tar shard or, in quotes, a pattern of "
      "shards. Images that cannot be read are named on standard error; the exit status is then 1. "
      "What else is left out of folders is counted there in one line, by reason.\n"
      "For a model of tables a PATH is a table, of which each row is a line. It needs no columns "
      "of labels or targets; rows are numbered from 0, without the header.");
  list(line, options);
  if (!line.parse(arguments)) return 0;
  check(options);

  Interrupt interrupt(last_words());
  Prediction t;
  open_asked(t, options);  // a wrong MODEL is the first to say
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
  if (!print_all(t, interrupt.token())) {
    std::cerr << "millrace: stopped by a signal before all samples were predicted\n";
    return interrupt.exit_status();
  }
  complaints.sum_up(json);
  return complaints.is_complete() ? 0 : 1;
}

}  // namespace millrace::apps

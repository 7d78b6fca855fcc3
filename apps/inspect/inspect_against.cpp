// millrace inspect MODEL --against OTHER: what two models cost, side by side.

#include "apps/bench/bench.h"
#include "apps/bench/compute_bench.h"
#include "apps/common/table.h"
#include "apps/inspect/inspect.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/shown_text.h>
#include <millrace/core/text_width.h>
#include <millrace/io/watch.h>
#include <millrace/training/find_model.h>

#include <array>
#include <iostream>
#include <utility>

namespace millrace::apps {
namespace {

struct Costs {
  std::string name;
  Shape input;
  std::int64_t parameters = 0, trained = 0, flops = 0;
  ComputeMeasured measured{};
};

/// The two models. A name takes the input and the outputs of the other where none are said.
std::array<nn::Model, 2> models_of(const InspectOptions& o) {
  const std::array<std::string, 2> words{o.path, o.against};
  std::array<nn::Model, 2> models;
  Shape input = o.input.empty() ? Shape{} : parse_sample_shape(o.input, "inspect: --input");
  std::int64_t outputs = o.outputs;
  for (const bool is_name : {false, true}) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (names_zoo_model(words[i]) != is_name) continue;
      models[i] = describe_model("inspect", words[i], input, outputs);
      if (is_name) continue;
      if (input.rank() == 0) input = models[i].input;
      if (outputs == 0) outputs = output_width(models[i]);
    }
  }
  return models;
}

Costs costs_of(const std::string& word, const nn::Model& model, const InspectOptions& o,
               const BenchOptions& bench, const BenchDevice& device, BenchWatch& watch) {
  Costs costs{.name = word, .input = model.input};
  for (const nn::LayerSummary& layer : nn::summarize(model)) {
    costs.parameters += layer.parameters;
    costs.trained += layer.trainable_parameters;
    costs.flops += layer.flops;
  }
  costs.measured = measure_compute(model, device, bench, o.batch, watch);
  return costs;
}

// So that a line fits a terminal of 80 columns.
constexpr int kCell = 19;  // "14852 (14852-14853)", "9.123 (9.111-9.222)"

/// Digits after the point with which all three numbers take five characters.
int digits_of(const Spread& ms) {
  return ms.max < 10 ? 3 : ms.max < 100 ? 2 : ms.max < 1000 ? 1 : 0;
}

std::string times(double ratio) {
  return fixed(ratio, ratio < 10 ? 3 : ratio < 100 ? 2 : 1);
}

/// A line: both models' texts, and how many times the first one's number the second one's is.
void add(Table& table, const char* title, const std::array<Costs, 2>& costs, auto number,
         auto text) {
  const double one = static_cast<double>(number(costs[0]));
  const double other = static_cast<double>(number(costs[1]));
  table.add({title, text(costs[0]), text(costs[1]), one > 0 ? times(other / one) : "-"});
}

void print(const std::array<Costs, 2>& costs, const InspectOptions& o, const BenchDevice& device) {
  const std::string batch = concat(" at batch ", o.batch);
  Table table;
  std::array<std::string, 2> names{shown(costs[0].name), shown(costs[1].name)};
  if (text_columns(names[0]) > kCell || text_columns(names[1]) > kCell) {
    std::cout << "first   " << names[0] << "\nsecond  " << names[1] << '\n';
    names = {"first", "second"};
  }
  table.add({"", names[0], names[1], "times"});
  table.add({"input", to_string(costs[0].input), to_string(costs[1].input), ""});
  const auto count = [&](const char* title, std::int64_t Costs::*what) {
    add(
        table, title, costs, [=](const Costs& c) { return c.*what; },
        [=](const Costs& c) { return with_commas(static_cast<std::uint64_t>(c.*what)); });
  };
  count("parameters", &Costs::parameters);
  count("of them trained", &Costs::trained);
  add(
      table, "MFLOP a sample, forward", costs, [](const Costs& c) { return c.flops; },
      [](const Costs& c) { return fixed(static_cast<double>(c.flops) / 1e6, 1); });
  const auto memory = [&](const std::string& title, auto lines) {
    add(
        table, title.c_str(), costs,
        [=](const Costs& c) { return nn::total(c.measured.*lines).count; },
        [=](const Costs& c) { return to_string(nn::total(c.measured.*lines)); });
  };
  memory("memory, training" + batch, &ComputeMeasured::training_memory);
  memory("memory, evaluation" + batch, &ComputeMeasured::evaluation_memory);
  const auto time = [&](const std::string& title, Spread ComputeMeasured::*what) {
    add(
        table, title.c_str(), costs, [=](const Costs& c) { return (c.measured.*what).median; },
        [=](const Costs& c) { return text_of(c.measured.*what, digits_of(c.measured.*what)); });
  };
  time("training step ms" + batch, &ComputeMeasured::train_ms);
  time("evaluation step ms" + batch, &ComputeMeasured::evaluate_ms);
  std::cout << table << "  measured on " << device.engine->description() << ",\n  "
            << nn::to_string(o.optimizer.kind) << ", random samples; median (min-max)\n";
}

}  // namespace

void inspect_against(const InspectOptions& o, std::stop_token stop) {
  BenchOptions bench;
  bench.optimizer = o.optimizer;
  bench.repeats = 3;
  bench.machine.compute_threads = o.threads;
  check_and_choose("inspect", bench);
  const std::array<nn::Model, 2> models = models_of(o);
  BenchWatch watch(error_screen(o.quiet), std::move(stop));
  const BenchDevice device = bench_devices("inspect", bench, watch).front();
  const std::array<Costs, 2> costs{costs_of(o.path, models[0], o, bench, device, watch),
                                   costs_of(o.against, models[1], o, bench, device, watch)};
  watch.clear();
  print(costs, o, device);
}

}  // namespace millrace::apps

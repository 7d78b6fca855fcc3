// millrace bench compute: training and evaluation steps of a model on samples in memory.

#include "apps/bench/compute_bench.h"
#include "apps/common/machine.h"
#include "apps/common/table.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/training/find_model.h>

#include <iostream>
#include <numeric>
#include <utility>

namespace millrace::apps {
namespace {

using nlohmann::ordered_json;

double seconds_of(const std::vector<nn::OpTiming>& operations) {
  return std::accumulate(operations.begin(), operations.end(), 0.0,
                         [](double sum, const nn::OpTiming& op) { return sum + op.seconds; });
}

double microseconds_a_call(const nn::OpTiming& op) {
  return 1e6 * op.seconds / static_cast<double>(op.calls);
}

void print_operations(const ComputeMeasured& m) {
  if (m.operations.empty()) return;
  const double sum = seconds_of(m.operations);
  Table table(2);
  table.add({"operation", "implementation", "us a call", "share"});
  for (const nn::OpTiming& op : m.operations) {
    table.add({op.name, op.implementation, fixed(microseconds_a_call(op), 1),
               fixed(100 * op.seconds / sum, 1) + " %"});
  }
  std::cout << "\noperations of a training step at batch " << m.batch << '\n' << table;
  if (m.bare_ms.median == 0) return;
  std::cout << "bare primitives of a step: " << text_of(m.bare_ms, 3) << " ms, "
            << fixed(m.bare_ms.median / m.train_ms.median, 3) << " of the step's "
            << text_of(m.train_ms, 3) << " ms in the same minute\n";
}

void print_masks(const ComputeMeasured& m) {
  if (m.masked_ms.median == 0) return;
  std::cout << "\nwith the masks of pruning a training step at batch " << m.batch << " takes "
            << text_of(m.masked_ms, 3) << " ms, without " << text_of(m.unmasked_ms, 3)
            << " ms: " << fixed(m.masked_ms.median / m.unmasked_ms.median, 3) << " times as long\n";
}

/// One device: how the batch size trades speed for memory.
void print_sweep(const BenchDevice& device, const std::vector<ComputeMeasured>& sweep) {
  Table table;
  table.add({"batch", "train ms", "images/s", "evaluate ms", "images/s", "copy ms", "memory"});
  for (const ComputeMeasured& m : sweep) {
    table.add({std::to_string(m.batch), text_of(m.train_ms, 3), fixed(m.train_rate(), 1),
               text_of(m.evaluate_ms, 3), fixed(m.evaluate_rate(), 1), text_of(m.copy_ms, 3),
               to_string(nn::total(m.training_memory))});
  }
  std::cout << '\n' << device.engine->description() << "; median (min-max)\n" << table;
  for (const ComputeMeasured& m : sweep) {
    print_masks(m);
    print_operations(m);
  }
}

using Sweeps =
    std::vector<std::vector<ComputeMeasured>>;  // [device][batch size], empty without an engine

void print_devices(const std::vector<BenchDevice>& devices, const Sweeps& sweeps,
                   const std::vector<std::int64_t>& batches) {
  std::vector<ComparedRow> rows;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const auto row = [&](const char* title, auto text) {
      ComparedRow made{concat("batch ", batches[b], "  ", title), {}};
      for (const auto& sweep : sweeps) {
        made.cells.push_back(sweep.empty() ? std::string("no engine") : text(sweep[b]));
      }
      rows.push_back(std::move(made));
    };
    row("copying ms", [](const ComputeMeasured& m) { return text_of(m.copy_ms, 3); });
    row("training ms", [](const ComputeMeasured& m) { return text_of(m.train_ms, 3); });
    row("training images/s", [](const ComputeMeasured& m) { return fixed(m.train_rate(), 1); });
    row("evaluation ms", [](const ComputeMeasured& m) { return text_of(m.evaluate_ms, 3); });
    row("evaluation images/s",
        [](const ComputeMeasured& m) { return fixed(m.evaluate_rate(), 1); });
    row("memory", [](const ComputeMeasured& m) { return to_string(nn::total(m.training_memory)); });
  }
  std::cout << '\n';
  print_comparison(devices, rows);
}

ordered_json json_of(const ComputeMeasured& m) {
  ordered_json memory = ordered_json::object();
  for (const nn::MemoryLine& line : m.training_memory) memory[line.name] = line.bytes.count;
  ordered_json result = {{"batch", m.batch},
                         {"train_ms", json_of(m.train_ms)},
                         {"train_images_per_s", m.train_rate()},
                         {"train_steps", m.train_steps},
                         {"evaluate_ms", json_of(m.evaluate_ms)},
                         {"evaluate_images_per_s", m.evaluate_rate()},
                         {"evaluate_steps", m.evaluate_steps},
                         {"copy_ms", json_of(m.copy_ms)},
                         {"training_bytes", nn::total(m.training_memory).count},
                         {"evaluation_bytes", nn::total(m.evaluation_memory).count},
                         {"memory", std::move(memory)}};
  if (m.bare_ms.median > 0) result["bare_ms"] = json_of(m.bare_ms);
  if (m.masked_ms.median > 0) {
    result["masked_ms"] = json_of(m.masked_ms);
    result["unmasked_ms"] = json_of(m.unmasked_ms);
  }
  const double sum = seconds_of(m.operations);
  for (const nn::OpTiming& op : m.operations) {
    result["operations"].push_back({{"name", op.name},
                                    {"implementation", op.implementation},
                                    {"us", microseconds_a_call(op)},
                                    {"calls", op.calls},
                                    {"share", op.seconds / sum}});
  }
  return result;
}

void list(CommandLine& line, BenchOptions& o) {
  line.positional("model", o.subject);
  list_common(line, o);
  line.topic("compute", "Steps");
  line("steps", o.steps, "N", "steps of a repeat", at_least(0)).by_default("as many as take 0.2 s");
  line("operations", o.operations, "", "show the time of each operation of a training step");
  line("masks", o.masks, "", "time training steps with and without pruning masks, in turn");
  list_machine(line, o.machine, false);
}

nn::Model chosen_model(const BenchOptions& o) {
  if (o.subject.empty()) {
    throw UsageError("bench compute: no MODEL; give a name (cnn, mlp:500,100), a file or a run");
  }
  const bool is_mlp = o.subject.rfind("mlp", 0) == 0;
  const Shape input = !o.input.empty() ? parse_sample_shape(o.input, "bench compute: --input")
                      : is_mlp         ? Shape{28, 28, 1}
                                       : Shape{150, 150, 3};
  return describe_model("bench compute", o.subject, input, o.classes == 2 ? 1 : o.classes);
}

ordered_json json_of(const std::vector<BenchDevice>& devices, const Sweeps& sweeps) {
  ordered_json all = ordered_json::array();
  for (std::size_t d = 0; d < devices.size(); ++d) {
    all.push_back(json_of(devices[d]));
    for (const ComputeMeasured& m : sweeps[d]) all.back()["batches"].push_back(json_of(m));
  }
  return all;
}

ordered_json result_of(const BenchOptions& o, const nn::Model& model, ordered_json devices) {
  return {{"command", "bench compute"},
          {"model", model.name},
          {"input", to_string(model.input)},
          {"outputs", output_width(model)},
          {"optimizer", nn::to_string(o.optimizer.kind)},
          {"momentum", o.optimizer.momentum},
          {"repeats", o.repeats},
          {"machine", machine_facts(o)},
          {"devices", std::move(devices)}};
}

void print(const BenchOptions& o, const nn::Model& model, const std::vector<BenchDevice>& devices,
           const Sweeps& sweeps) {
  std::cout << "model '" << model.name << "', input " << model.input << ", " << output_width(model)
            << ' ' << plural(output_width(model), "output") << "; " << cpu_name() << '\n';
  for (std::size_t d = 0; d < devices.size(); ++d) {
    if (!sweeps[d].empty()) print_sweep(devices[d], sweeps[d]);
  }
  if (devices.size() > 1) print_devices(devices, sweeps, o.batches);
}

}  // namespace

int bench_compute(const std::vector<std::string>& arguments) {
  BenchOptions o;
  CommandLine line("bench compute", "bench compute MODEL [OPTIONS]",
                   "Times training and evaluation steps of MODEL (a name, a JSON file, a model "
                   "file or a run directory) on random samples in memory, without a pipeline.");
  list(line, o);
  if (!line.parse(arguments)) return 0;
  check_and_choose("bench compute", o);
  const std::vector<std::int64_t>& batches = o.batches;
  const nn::Model model = chosen_model(o);

  return stoppable([&](BenchWatch& watch) {
    const std::vector<BenchDevice> devices = bench_devices("bench compute", o, watch);
    Sweeps sweeps(devices.size());
    for (std::size_t d = 0; d < devices.size(); ++d) {
      if (devices[d].engine == nullptr) continue;
      for (const std::int64_t batch : batches) {
        sweeps[d].push_back(measure_compute(model, devices[d], o, batch, watch));
      }
    }
    watch.clear();
    if (o.prints_text()) print(o, model, devices, sweeps);
    if (!o.json.empty()) write_json(o, result_of(o, model, json_of(devices, sweeps)));
  });
}

}  // namespace millrace::apps

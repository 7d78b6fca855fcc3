// millrace bench train: the whole training pipeline, and its loading half alone.

#include "apps/bench/bench.h"
#include "apps/bench/synthetic.h"
#include "apps/bench/train_bench.h"
#include "apps/common/left_out_report.h"
#include "apps/common/machine.h"
#include "apps/common/table.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/training/find_model.h>
#include <millrace/training/tables.h>

#include <iostream>
#include <memory>
#include <utility>

namespace millrace::apps {
namespace {

using nlohmann::ordered_json;

void list(CommandLine& line, BenchOptions& o) {
  line.positional("data", o.subject);
  list_common(line, o);
  line("samples", o.samples, "N", "number of synthetic samples", at_least(1));
  line.topic("training", "Training");
  line("model", o.model, "SPEC", "as in 'millrace train'").by_default("by the size of the input");
  line("size", o.size, "N|HxW", "size of the images of DATA, as in 'millrace train'");
  line("epochs", o.epochs, "N", "epochs of a repeat", at_least(1));
  line("limit-batches", o.limit_batches, "N", "at most N batches an epoch; 0: all");
  line("replay", o.replay, "N",
       "for measurements without the input: load the first N batches once, then feed them over "
       "and over; 0: off");
  line("resident", o.resident, "",
       "decode all samples once, before measuring, and keep them in the GPU's memory");
  list_table(line, o.table, false);
  list_augmentation(line, o.augmentation);
  list_machine(line, o.machine, false);
}

/// DATA, all of it or its training part, or random samples.
TrainingData open_samples(const BenchOptions& o, std::stop_token stop) {
  TrainingData data;
  if (o.subject.empty()) {
    const bool is_mlp = o.model.rfind("mlp", 0) == 0;
    const Shape sample = !o.input.empty() ? parse_sample_shape(o.input, "bench train: --input")
                         : is_mlp         ? Shape{28, 28, 1}
                                          : Shape{150, 150, 3};
    if (sample.rank() == 3 && sample[2] != 1 && sample[2] != 3) {
      throw UsageError(concat("bench train: --input ", sample, ": channels must be 1 or 3"));
    }
    data.training =
        SampleSet::all(std::make_shared<SyntheticDataset>(sample, o.samples, o.classes, o.seed));
    data.description =
        concat(o.samples, " synthetic ", plural(o.samples, "sample"), " of ", sample);
    return data;
  }
  const Show show = o.prints_text() ? how_to_show(false) : Show::nothing;
  const ChosenPart part = choose_part(find_data(o.subject), "train", o.subject);
  check_is_table(o.table, o.subject, part.kind == DataKind::csv);
  WorkShown work(show);
  const SessionWatch watch = watch_of(work, show, std::move(stop));
  const auto dataset = open_part(part, {.skips_damage = true, .table = o.table}, watch);
  tell_notes(*dataset, watch);
  work.clear();
  data.training = SampleSet::all(dataset);
  data.description = concat(o.subject, ": ", with_commas(dataset->size()), ' ',
                            unit_of(*dataset, dataset->size()));
  return data;
}

Spread rates(const Runs& runs) {
  const auto samples = static_cast<double>(runs.samples);
  return {samples / runs.seconds.median, samples / runs.seconds.max, samples / runs.seconds.min};
}

using Sweeps =
    std::vector<std::vector<TrainMeasured>>;  // [device][batch size], empty without an engine

void print_costs(const Costs& c) {
  std::cout << "a loop over steps alone: " << text_of(c.loop_ms, 3)
            << " ms a step\nCPU time of a step apart: loading " << text_of(c.loading_ms, 3)
            << " ms, bare primitives " << text_of(c.bare_ms, 3) << ", update "
            << text_of(c.update_ms, 3) << "; training takes " << text_of(c.multiple, 2)
            << " times their sum divided among " << c.cores << ' ' << plural(c.cores, "core")
            << '\n';
}

void print_sweep(const BenchDevice& device, const std::vector<TrainMeasured>& sweep) {
  Table table;
  table.add({"batch", "images/s", "ms/step", "loading alone images/s", "memory"});
  for (const TrainMeasured& m : sweep) {
    table.add({std::to_string(m.batch), text_of(rates(m.training), 1), fixed(m.together_ms, 3),
               text_of(rates(m.loading), 1), to_string(m.planned)});
  }
  std::cout << '\n' << device.engine->description() << "; median (min-max)\n" << table;
  for (const TrainMeasured& m : sweep) {
    std::cout << "\nbatch " << m.batch << ", the run in the middle\n" << m.training.report.text();
    if (m.costs) print_costs(*m.costs);
  }
}

/// The parts apart and together: what overlapping them gains.
void print_parts(const std::vector<BenchDevice>& devices, const Sweeps& sweeps,
                 const std::vector<std::int64_t>& batches) {
  std::vector<ComparedRow> rows;
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const auto row = [&](const char* title, auto value) {
      ComparedRow made{concat("batch ", batches[b], "  ", title), {}};
      for (const auto& sweep : sweeps) {
        made.cells.push_back(sweep.empty() ? std::string("no engine") : fixed(value(sweep[b]), 3));
      }
      rows.push_back(std::move(made));
    };
    row("loading ms", [](const TrainMeasured& m) { return m.loading_ms; });
    row("copying ms", [](const TrainMeasured& m) { return m.copying_ms; });
    row("computing ms", [](const TrainMeasured& m) { return m.computing_ms; });
    row("their sum ms",
        [](const TrainMeasured& m) { return m.loading_ms + m.copying_ms + m.computing_ms; });
    row("overlapped ms", [](const TrainMeasured& m) { return m.together_ms; });
  }
  std::cout << "\nloading, copying and computing a batch apart and overlapped\n";
  print_comparison(devices, rows);
}

ordered_json json_of(const TrainMeasured& m) {
  ordered_json made = {{"batch", m.batch},
                       {"steps", m.steps},
                       {"samples", m.training.samples},
                       {"images_per_s", json_of(rates(m.training))},
                       {"seconds", json_of(m.training.seconds)},
                       {"loading_alone_images_per_s", json_of(rates(m.loading))},
                       {"loading_ms", m.loading_ms},
                       {"copying_ms", m.copying_ms},
                       {"computing_ms", m.computing_ms},
                       {"overlapped_ms", m.together_ms},
                       {"planned_bytes", m.planned.count},
                       {"report", ordered_json::parse(m.training.report.json())},
                       {"loading_report", ordered_json::parse(m.loading.report.json())}};
  if (m.costs) {
    made["loop_ms"] = json_of(m.costs->loop_ms);
    made["cpu_time"] = {{"loading_ms", json_of(m.costs->loading_ms)},
                        {"bare_ms", json_of(m.costs->bare_ms)},
                        {"update_ms", json_of(m.costs->update_ms)},
                        {"cores", m.costs->cores},
                        {"training_is_times", json_of(m.costs->multiple)}};
  }
  return made;
}

ordered_json json_of(const std::vector<BenchDevice>& devices, const Sweeps& sweeps) {
  ordered_json all = ordered_json::array();
  for (std::size_t d = 0; d < devices.size(); ++d) {
    all.push_back(json_of(devices[d]));
    for (const TrainMeasured& m : sweeps[d]) all.back()["batches"].push_back(json_of(m));
  }
  return all;
}

ordered_json result_of(const BenchOptions& o, const TrainingData& data, ordered_json devices) {
  return {{"command", "bench train"},
          {"data", data.description},
          {"optimizer", nn::to_string(o.optimizer.kind)},
          {"momentum", o.optimizer.momentum},
          {"epochs", o.epochs},
          {"repeats", o.repeats},
          {"replay", o.replay},
          {"resident", o.resident},
          {"machine", machine_facts(o)},
          {"devices", std::move(devices)}};
}

}  // namespace

int bench_train(const std::vector<std::string>& arguments) {
  BenchOptions o;
  CommandLine line(
      "bench train", "bench train [DATA] [OPTIONS]",
      "Times epochs of the whole training pipeline and of its loading half alone, in turn. "
      "Without DATA it reads random samples, which cost nothing to decode.");
  list(line, o);
  if (!line.parse(arguments)) return 0;
  check_and_choose("bench train", o);
  const std::vector<std::int64_t>& batches = o.batches;

  return stoppable([&](BenchWatch& watch) {
    const std::vector<BenchDevice> devices = bench_devices("bench train", o, watch);
    Sweeps sweeps(devices.size());
    const TrainingData data = open_samples(o, watch.stop());
    for (std::size_t d = 0; d < devices.size(); ++d) {
      if (devices[d].engine == nullptr) continue;
      for (const std::int64_t batch : batches) {
        sweeps[d].push_back(measure_training(data, devices[d], o, batch, watch));
      }
    }
    watch.clear();
    if (o.prints_text()) {
      std::cout << data.description << "; " << cpu_name() << '\n';
      for (std::size_t d = 0; d < devices.size(); ++d) {
        if (!sweeps[d].empty()) print_sweep(devices[d], sweeps[d]);
      }
      print_parts(devices, sweeps, batches);
    }
    if (!o.json.empty()) write_json(o, result_of(o, data, json_of(devices, sweeps)));
  });
}

}  // namespace millrace::apps

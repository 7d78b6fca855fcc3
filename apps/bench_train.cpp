// millrace bench train: the whole training pipeline, and its loading half alone.

#include "apps/bench.h"
#include "apps/find_model.h"
#include "apps/machine.h"
#include "apps/resident.h"
#include "apps/synthetic.h"
#include "apps/table.h"
#include "apps/training_pipeline.h"

#include <millrace/core/error.h>
#include <millrace/io/watch.h>
#include <millrace/pipeline/interrupt.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

namespace millrace::apps {
namespace {

using nlohmann::ordered_json;

struct Counts {
  std::int64_t samples = 0, steps = 0;
};

/// Repeated runs of a pipeline.
struct Runs {
  Spread seconds;
  std::int64_t samples = 0, steps = 0;  ///< of one run
  Report report;                        ///< of the run in the middle

  [[nodiscard]] double rate() const { return static_cast<double>(samples) / seconds.median; }
};

/// The pipeline on one device at one batch size.
struct Measured {
  std::int64_t batch = 0;
  Runs loading, training;
  std::int64_t steps = 0;                                                    ///< of one run
  double loading_ms = 0, copying_ms = 0, computing_ms = 0, together_ms = 0;  ///< a batch
  Bytes planned;
};

void declare(CommandLine& line, BenchOptions& o) {
  line.positional("data", o.subject);
  declare_common(line, o);
  line("samples", o.samples, "N", "default 1024");
  line.topic("training", "Training");
  line("model", o.model, "SPEC", "as of 'millrace train'; default: by the size of the input");
  line("size", o.size, "N|HxW", "of the pictures of DATA, as of 'millrace train'");
  line("epochs", o.epochs, "N", "of a repeat; default 1");
  line("limit-batches", o.limit_batches, "N", "at most so many batches an epoch; 0: all");
  line("replay", o.replay, "N",
       "to measure what comes after the input: load the first N batches once, then feed them over "
       "and over; default 0: read all");
  line("resident", o.resident, "",
       "decode all samples once, before what is measured, and keep them in the GPU's memory");
  declare(line, o.augmentation);
  declare(line, o.machine, false);
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
    data.description = concat(o.samples, " synthetic samples of ", sample);
    return data;
  }
  const auto dataset =
      open_evaluation_data(o.subject, "train", {},
                           o.prints_text() ? how_to_show(false) : Show::nothing, std::move(stop));
  data.training = SampleSet::all(dataset);
  data.description = concat(o.subject, ": ", with_commas(dataset->size()), ' ', unit_of(*dataset));
  return data;
}

TrainOptions train_options(const BenchOptions& o, const BenchDevice& device, std::int64_t batch,
                           const Dataset& dataset) {
  TrainOptions t;
  t.model = o.model;
  t.size = o.size;
  const Shape natural = dataset.natural_shape();
  if (o.subject.empty() && natural.rank() == 3) {
    t.size = concat(natural[0], 'x', natural[1]);
    t.channels = static_cast<int>(natural[2]);
  }
  t.epochs = o.epochs;
  t.limit_batches = o.limit_batches;
  t.replay = o.replay;
  t.resident = o.resident;
  t.batch = batch;
  t.optimizer = o.optimizer;
  t.momentum = o.momentum;
  t.seed = o.seed;
  t.augmentation = o.augmentation;
  t.device = device.name;
  t.threads = o.machine.threads;
  t.compute_threads = o.machine.compute_threads;
  t.memory_budget = o.machine.memory_budget;
  return t;
}

/// Runs the pipeline again and again, which counts on in `counts`. Throws Stopped.
Runs run_repeatedly(Pipeline& p, const BenchOptions& o, const Counts& counts,
                    const std::stop_token& stop) {
  std::vector<Report> reports;
  Counts before;
  for (int i = 0; i < o.warmup + o.repeats; ++i) {
    before = counts;
    Report report = p.run(stop);
    if (report.stopped) throw Stopped("stopped on request");
    if (i >= o.warmup) reports.push_back(std::move(report));
  }
  std::sort(reports.begin(), reports.end(),
            [](const Report& a, const Report& b) { return a.wall_s < b.wall_s; });
  std::vector<double> seconds;
  for (const Report& report : reports) seconds.push_back(report.wall_s);
  return {spread_of(std::move(seconds)), counts.samples - before.samples,
          counts.steps - before.steps, reports[reports.size() / 2]};
}

/// The loading half with nothing behind it: what the training half could at most get.
Runs measure_loading(const Training& t, const BenchOptions& o, const std::stop_token& stop) {
  Counts counts;
  Pipeline p({.name = "loading alone",
              .budget = parse_bytes(t.options.memory_budget),
              .threads = t.options.threads});
  p.sink(add_loading(p, t), {.name = "drop"}, [&counts](const Lease<HostBatch>& batch) {
    counts.samples += batch->size;
    counts.steps += batch->tag.count;
  });
  return run_repeatedly(p, o, counts, stop);
}

Measured measure(const TrainingData& data, const BenchDevice& device, const BenchOptions& o,
                 std::int64_t batch, const std::stop_token& stop) {
  const Training t = prepare_training(train_options(o, device, batch, *data.training.dataset), data,
                                      {}, device.engine);
  check_device_memory(t);
  if (t.kept != nullptr) (void)load_kept(t, stop);
  if (t.resident != nullptr) (void)load_resident(t, {{}, stop});
  Measured m;
  m.batch = batch;
  m.loading = measure_loading(t, o, stop);

  Counts counts;
  Pipeline p = compose_training(t, {}, {.on_step = [&counts](const StepRecord& r) {
                                  counts.samples += r.result.samples;
                                  counts.steps += r.steps;
                                }});
  p.check();
  m.planned = p.plan().charged;
  allocate(t);
  m.training = run_repeatedly(p, o, counts, stop);

  if (t.kept != nullptr) m.training.report.remarks.push_back(describe_replay(t));
  if (t.resident != nullptr) m.training.report.remarks.push_back(resident_remark(t));
  const Report& report = m.training.report;
  m.steps = m.training.steps;
  const auto steps = static_cast<double>(m.steps);
  const auto busy_ms = [&](const char* stage) {
    const StageReport& s = report.stage(stage);
    return 1e3 * (s.device_s > 0 ? s.device_s : s.busy_s) / steps;
  };
  m.loading_ms = 1e3 * m.loading.seconds.median / steps;
  m.copying_ms = busy_ms("copy") + busy_ms("cast");
  const double device_ms = 1e3 * t.state->device_s / static_cast<double>(o.warmup + o.repeats);
  m.computing_ms = device_ms > 0 ? device_ms / steps : busy_ms("train");
  m.together_ms = 1e3 * m.training.seconds.median / steps;
  return m;
}

Spread rates(const Runs& runs) {
  const auto samples = static_cast<double>(runs.samples);
  return {samples / runs.seconds.median, samples / runs.seconds.max, samples / runs.seconds.min};
}

using Sweeps = std::vector<std::vector<Measured>>;  // [device][batch size], empty without an engine

void print_sweep(const BenchDevice& device, const std::vector<Measured>& sweep) {
  Table table;
  table.add({"batch", "images/s", "ms/step", "loading alone images/s", "memory"});
  for (const Measured& m : sweep) {
    table.add({std::to_string(m.batch), text_of(rates(m.training), 1), fixed(m.together_ms, 3),
               text_of(rates(m.loading), 1), to_string(m.planned)});
  }
  std::cout << '\n' << device.engine->description() << "; median (min-max)\n" << table;
  for (const Measured& m : sweep) {
    std::cout << "\nbatch " << m.batch << ", the run in the middle\n" << m.training.report.text();
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
    row("loading ms", [](const Measured& m) { return m.loading_ms; });
    row("copying ms", [](const Measured& m) { return m.copying_ms; });
    row("computing ms", [](const Measured& m) { return m.computing_ms; });
    row("their sum ms",
        [](const Measured& m) { return m.loading_ms + m.copying_ms + m.computing_ms; });
    row("overlapped ms", [](const Measured& m) { return m.together_ms; });
  }
  std::cout << "\nloading, copying and computing a batch apart and overlapped\n";
  print_comparison(devices, rows);
}

ordered_json json_of(const Measured& m) {
  return {{"batch", m.batch},
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
}

ordered_json json_of(const std::vector<BenchDevice>& devices, const Sweeps& sweeps) {
  ordered_json all = ordered_json::array();
  for (std::size_t d = 0; d < devices.size(); ++d) {
    all.push_back(json_of(devices[d]));
    for (const Measured& m : sweeps[d]) all.back()["batches"].push_back(json_of(m));
  }
  return all;
}

ordered_json result_of(const BenchOptions& o, const TrainingData& data, ordered_json devices) {
  return {{"command", "bench train"},     {"data", data.description}, {"optimizer", o.optimizer},
          {"momentum", o.momentum},       {"epochs", o.epochs},       {"repeats", o.repeats},
          {"replay", o.replay},           {"resident", o.resident},   {"machine", machine_facts(o)},
          {"devices", std::move(devices)}};
}

}  // namespace

int bench_train(const std::vector<std::string>& arguments) {
  BenchOptions o;
  CommandLine line("bench train", "bench train [DATA] [OPTIONS]",
                   "Times epochs of the whole training pipeline and of its loading half alone. "
                   "Without DATA it reads\nrandom samples, which cost nothing to decode.");
  declare(line, o);
  if (!line.parse(arguments)) return 0;
  check_and_choose("bench train", o);
  const std::vector<std::int64_t> batches = batch_list("bench train", o.batches);
  const std::vector<BenchDevice> devices = bench_devices("bench train", o);

  Interrupt interrupt;
  Sweeps sweeps(devices.size());
  TrainingData data;
  try {
    data = open_samples(o, interrupt.token());
    for (std::size_t d = 0; d < devices.size(); ++d) {
      if (devices[d].engine == nullptr) continue;
      for (const std::int64_t batch : batches) {
        sweeps[d].push_back(measure(data, devices[d], o, batch, interrupt.token()));
      }
    }
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal; nothing is told of what was measured so far\n";
    return interrupt.exit_status();
  }
  if (o.prints_text()) {
    std::cout << data.description << "; " << cpu_name() << '\n';
    for (std::size_t d = 0; d < devices.size(); ++d) {
      if (!sweeps[d].empty()) print_sweep(devices[d], sweeps[d]);
    }
    print_parts(devices, sweeps, batches);
  }
  if (!o.json.empty()) write_json(o, result_of(o, data, json_of(devices, sweeps)));
  return 0;
}

}  // namespace millrace::apps

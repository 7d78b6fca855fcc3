// millrace bench: how fast models compute and pipelines train, and what that takes.

#include "apps/bench/bench.h"

#include "apps/commands.h"
#include "apps/common/engine_choice.h"
#include "apps/common/gpu.h"
#include "apps/common/machine.h"
#include "apps/common/table.h"

#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/io/files.h>
#include <millrace/pipeline/threads.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <utility>

namespace millrace::apps {

void list_common(OptionList& line, BenchOptions& o) {
  line.topic("measurement", "Measurement");
  line("batch", o.batches, "N,N,...", "samples in a step, one measurement each", at_least(1));
  line("devices", o.devices, "cpu,gpu", "devices to compare", {[](std::string_view text) {
         for (const std::string& name : words_of(text)) {
           if (name != "cpu" && name != "gpu") throw BadOptionText("cpu, gpu or cpu,gpu");
         }
         return std::string(text);
       }});
  line("repeats", o.repeats, "N", "measurements; median, min and max are shown", at_least(1));
  line("warmup", o.warmup, "N", "warm-up runs, not measured", at_least(0));
  list_optimizer(line, o.optimizer);
  list_momentum(line, o.optimizer);
  line("json", o.json, "FILE", "write all numbers and the machine's facts; - for standard output");
  line.topic("synthetic", "Synthetic samples");
  line("input", o.input, "HxWxC|F", "their shape").by_default("150x150x3, for mlp 28x28x1");
  line("classes", o.classes, "K", "classes of their labels", within(2, 1'000'000));
  line("seed", o.seed, "N", "of their numbers");
}

void check_and_choose(const char* command, BenchOptions& o) {
  check(o.augmentation, concat(command, ": --"));
  if (o.batches.empty()) throw UsageError(concat(command, ": --batch names no batch size"));
  choose(o.machine);
}

std::vector<BenchDevice> bench_devices(const char* command, const BenchOptions& o,
                                       BenchWatch& watch) {
  std::vector<BenchDevice> devices;
  for (const std::string& name : words_of(o.devices)) {
    BenchDevice device{name, nullptr, name == "gpu" ? find_gpus().why_none : ""};
    // --precision is the GPU's: beside it the CPU computes in fp32.
    EngineChoice choice{.machine = o.machine, .timed = true, .on_timing = watch.on_timing()};
    choice.machine.device = name == "gpu" ? Device::gpu : Device::cpu;
    if (name == "cpu" && o.devices != "cpu") choice.machine.precision.reset();
    if (device.why_not.empty()) device.engine = engine_for(choice);
    devices.push_back(std::move(device));
  }
  const bool is_any = std::any_of(devices.begin(), devices.end(),
                                  [](const BenchDevice& d) { return d.engine != nullptr; });
  if (devices.empty()) throw UsageError(concat(command, ": --devices names no device"));
  if (!is_any) throw Error(concat("--devices ", o.devices, ": ", devices.front().why_not));
  return devices;
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

std::string text_of(const Spread& s, int digits) {
  return concat(fixed(s.median, digits), " (", fixed(s.min, digits), '-', fixed(s.max, digits),
                ')');
}

nlohmann::ordered_json json_of(const Spread& s) {
  return {{"median", s.median}, {"min", s.min}, {"max", s.max}};
}

nlohmann::ordered_json json_of(const BenchDevice& device) {
  nlohmann::ordered_json made = {{"device", device.name}};
  if (device.engine == nullptr)
    made["no_engine"] = device.why_not;
  else
    made["engine"] = device.engine->description();
  made["batches"] = nlohmann::ordered_json::array();
  return made;
}

void print_comparison(const std::vector<BenchDevice>& devices,
                      const std::vector<ComparedRow>& rows) {
  Table table;
  std::vector<std::string> head{""};
  for (const BenchDevice& device : devices) head.push_back(device.name);
  table.add(std::move(head));
  for (const ComparedRow& row : rows) {
    std::vector<std::string> line{row.title};
    line.insert(line.end(), row.cells.begin(), row.cells.end());
    table.add(std::move(line));
  }
  std::cout << table;
  for (const BenchDevice& device : devices) {
    if (device.engine == nullptr) std::cout << device.name << ": " << device.why_not << '\n';
  }
}

nlohmann::ordered_json machine_facts(const BenchOptions& o) {
  return {{"millrace", MILLRACE_VERSION},
          {"compiler", __VERSION__},
          {"cpu", cpu_name()},
          {"cores", available_threads()},
          {"memory_bytes", memory_limit().count},
          {"threads", o.machine.threads},
          {"compute_threads", o.machine.compute_threads}};
}

void write_json(const BenchOptions& o, const nlohmann::ordered_json& result) {
  const std::string text =
      result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
  if (o.json == "-") {
    std::cout << text;
    return;
  }
  AtomicFile file(o.json);
  file.write(text);
  file.commit();
}

int bench(const Arguments& arguments) {
  const std::string what = arguments.empty() ? "" : arguments.front();
  if (what == "augment") return bench_augment({arguments.begin() + 1, arguments.end()});
  if (what == "compute") return bench_compute({arguments.begin() + 1, arguments.end()});
  if (what == "runtime") return bench_runtime({arguments.begin() + 1, arguments.end()});
  if (what == "train") return bench_train({arguments.begin() + 1, arguments.end()});
  std::string word;
  CommandLine line(
      "bench",
      "bench compute MODEL [OPTIONS] | bench train [DATA] [OPTIONS] | bench augment [OPTIONS] | "
      "bench runtime [OPTIONS]",
      "compute: training and evaluation steps of a model on samples in memory.\n"
      "train: the whole training pipeline, and its loading half alone.\n"
      "augment: random changes of images, on one core.\n"
      "runtime: a hop from stage to stage, and a chain of stages compared with oneTBB's.\n"
      "'millrace bench compute --help' lists the options of compute, and so on.");
  line.positional("what", word);
  if (!line.parse(arguments)) return 0;
  throw UsageError(concat(word.empty() ? std::string("bench: no benchmark")
                                       : concat("bench: unknown benchmark '", word, "'"),
                          "; choose compute MODEL, train [DATA], augment or runtime"));
}

}  // namespace millrace::apps

// millrace inspect: what devices, data sets and models are, before anything is trained.

#include "apps/inspect/inspect.h"

#include "apps/commands.h"
#include "apps/common/command_line.h"
#include "apps/common/engine_choice.h"
#include "apps/common/gpu.h"
#include "apps/common/machine.h"

#include <millrace/core/error.h>
#include <millrace/io/watch.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/threads.h>
#include <millrace/training/find_model.h>
#include <millrace/training/tables.h>

#include <filesystem>
#include <iostream>

namespace millrace::apps {
namespace {

namespace fs = std::filesystem;

void list(CommandLine& line, InspectOptions& o) {
  line.positional("what", o.what);
  line.positional("path", o.path);
  line.topic("data", "Data");
  line("full", o.full, "",
       "decode every image, to find damaged ones; list every file that is left out");
  list_max_image_pixels(line, o.max_image_pixels);
  line("threads", o.threads, "N", "threads for reading", at_least(0))
      .by_default("the cores available to the process");
  line("quiet", o.quiet, "", "print no progress");
  line("json", o.json, "", "of data: print one JSON object instead of text");
  list_table(line, o.table, false);
  line.topic("model", "Model");
  line("against", o.against, "MODEL",
       "compare with this model: parameters, FLOPs, memory, measured steps");
  line("batch", o.batch, "N", "samples of a training step", at_least(1));
  list_optimizer(line, o.optimizer);
  line("input", o.input, "HxWxC|F",
       "shape of a sample, for a model given by its name: cnn, mlp:500, ...")
      .by_default("with --against that of the other one, where that is a file");
  line("outputs", o.outputs, "K", "number of outputs, for a model given by its name", at_least(0))
      .by_default("likewise");
  line("dot", o.dot, "",
       "print the graph of layers for Graphviz: ... --dot | dot -Tsvg > MODEL.svg");
}

/// "model" or "data" for a path or name that stands alone.
std::string guess(const std::string& word) {
  std::error_code ignored;
  if (fs::is_directory(word, ignored)) {
    return fs::exists(fs::path(word) / "model.safetensors", ignored) ? "model" : "data";
  }
  const std::string ending = fs::path(word).extension().string();
  if (ending == ".safetensors" || ending == ".json") return "model";
  if (!fs::exists(word, ignored) && nn::in_zoo(word)) return "model";
  return "data";
}

void check(InspectOptions& o) {
  const bool is_kind = o.what == "devices" || o.what == "data" || o.what == "model";
  if (o.what.empty()) {
    throw UsageError(
        "inspect: nothing to inspect; choose devices, data DATA, model MODEL or a path");
  }
  if (!is_kind && !o.path.empty()) {
    throw UsageError(
        concat("inspect: unknown subject '", o.what, "'; choose devices, data or model"));
  }
  if (!is_kind) {
    o.path = o.what;
    o.what = guess(o.path);
  }
  if (o.what == "devices" && !o.path.empty()) {
    throw UsageError("inspect: too many arguments; 'inspect devices' takes none");
  }
  if (o.what != "devices" && o.path.empty()) {
    throw UsageError(concat("inspect: 'inspect ", o.what, "' needs a path"));
  }
  if (!o.against.empty() && o.what != "model") {
    throw UsageError("inspect: --against compares models");
  }
  if (o.dot && (o.what != "model" || !o.against.empty())) {
    throw UsageError("inspect: --dot draws one model: inspect model MODEL --dot");
  }
  if (o.json && o.what != "data") throw UsageError("inspect: --json is for data");
  if (o.what != "data") check_is_table(o.table, o.path, false);
  if (o.threads == 0) o.threads = available_threads();
}

}  // namespace

void inspect_devices() {
  const FoundGpus gpus = find_gpus();
  std::cout << "processor  " << cpu_name() << '\n'
            << "cores      " << available_threads() << " may be used\n"
            << "memory     " << memory_limit() << " may be used\n"
            << engine_for({})->description() << '\n';
  if (gpus.devices.empty()) std::cout << "gpu: none; " << gpus.why_none << '\n';
  for (std::size_t i = 0; i < gpus.devices.size(); ++i) {
    std::cout << "gpu " << i << ": " << gpus.devices[i] << '\n';
  }
  if (!gpus.libraries.empty()) std::cout << "     " << gpus.libraries << '\n';
  for (const std::string& path : gpus.paths) std::cout << "     " << path << '\n';
}

int inspect(const Arguments& arguments) {
  InspectOptions options;
  CommandLine line("inspect", "inspect devices | data DATA | model MODEL | PATH [OPTIONS]",
                   "devices: the processor and the GPUs, and what runs on them.\n"
                   "data: classes, sizes and formats of a data set, and images that cannot be "
                   "read (exit status 1).\n"
                   "model: layers, parameters, FLOPs, memory of training, preprocessing, classes; "
                   "MODEL is a model file, a run directory, a JSON description or a name with "
                   "--input and --outputs.");
  list(line, options);
  if (!line.parse(arguments)) return 0;
  check(options);

  if (options.what == "devices") {
    inspect_devices();
    return 0;
  }
  Interrupt interrupt(last_words());
  try {
    if (options.what == "data") {
      inspect_data(options, how_to_show(options.quiet || options.json), interrupt.token());
    } else if (options.against.empty()) {
      inspect_model(options, interrupt.token());
    } else {
      inspect_against(options, interrupt.token());
    }
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before all was inspected\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps

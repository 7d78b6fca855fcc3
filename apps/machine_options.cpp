#include "apps/machine_options.h"

#include "apps/machine.h"

#include <millrace/core/error.h>
#include <millrace/pipeline/threads.h>

namespace millrace::apps {

void declare(CommandLine& line, MachineOptions& o, bool with_device) {
  line.topic("machine", "Machine");
  if (with_device) {
    line("device", o.device, "auto|cpu|gpu",
         "where to compute; default auto: a GPU if there is one");
  }
  line("precision", o.precision, "NAME", kPrecisionHelp);
  line("threads", o.threads, "N", "of reading and decoding; default: the cores one may use");
  line("compute-threads", o.compute_threads, "N", "of the model; default: the cores one may use");
  line("memory-budget", o.memory_budget, "SIZE",
       "most memory of batches, model and index, e.g. 2GiB; default: half of the machine's");
}

void declare_max_image_pixels(CommandLine& line, std::uint64_t& pixels) {
  line("max-image-pixels", pixels, "N",
       "an image of more (height times width) is not read; default 178956970");
}

void check_max_image_pixels(const char* command, std::uint64_t pixels) {
  if (pixels > 0) return;
  throw UsageError(concat(command, ": --max-image-pixels must be 1 or more, not 0"));
}

void check_and_choose(const char* command, MachineOptions& o) {
  const auto require = [command](bool holds, const char* option, const char* range,
                                 const auto& value) {
    if (holds) return;
    throw UsageError(concat(command, ": --", option, " must be ", range, ", not ", value));
  };
  check(command, o.engine());
  require(o.threads >= 0, "threads", "0 or more", o.threads);
  o.device = chosen_device(o.device);
  if (o.threads == 0) o.threads = available_threads();
  if (o.compute_threads == 0) o.compute_threads = available_threads();
  if (o.memory_budget.empty()) {
    o.memory_budget = to_string(Bytes{memory_limit().count / 2});
  } else {
    (void)parse_bytes(o.memory_budget);
  }
}

}  // namespace millrace::apps

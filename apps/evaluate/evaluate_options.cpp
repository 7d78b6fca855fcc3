#include "apps/evaluate/evaluate_options.h"

#include "apps/common/engine_choice.h"

#include <millrace/core/error.h>
#include <millrace/io/data_layout.h>

namespace millrace::apps {

void list(CommandLine& line, EvaluateOptions& o) {
  line.positional("model", o.request.model.name);
  line.positional("data", o.data);
  list_request(line, o.request);
  line.topic("data", "Data");
  line(
      "part", o.part, "NAME",
      "part of DATA: train, val, test, or validation, which is what training validates on: val/ if "
      "there is one, else test/, else all of DATA",
      {[](std::string_view text) {
        if (!part_named(text)) throw BadOptionText("train, validation, val or test");
        return std::string(text);
      }})
      .by_default("validation");
  line("held-out", o.held_out, "",
       "only the share of its data that the run in MODEL held out for validation; DATA may be left "
       "out");
  list_class_names(line, o.class_names);
  line("batch", o.asked_batch, "N", "samples in a step", within(1, 1'000'000))
      .by_default("32, with --held-out that of the run");
  list_bad_images(line, o.on_bad_image);
  list_max_image_pixels(line, o.max_image_pixels);
  list_table(line, o.table, true);
  list_machine(line, o.machine);
  line.topic("output", "Output");
  line("auc", o.auc, "", "leave out the areas under ROC curves, which keep all outputs");
  line("json", o.json, "", "print one JSON object instead of text");
  line("quiet", o.quiet, "", "print the result and errors only");
}

void check(EvaluateOptions& o) {
  if (o.request.model.name.empty() || (o.data.empty() && !o.held_out)) {
    throw UsageError("evaluate: needs MODEL and DATA, or a run as MODEL with --held-out");
  }
  if (o.held_out && !o.part.empty()) {
    throw UsageError("evaluate: --held-out is itself a part; leave out --part");
  }
  o.batch = o.asked_batch.value_or(o.batch);
  choose(o.machine);
}

}  // namespace millrace::apps

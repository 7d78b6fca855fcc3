#include "apps/train/train_options.h"

namespace millrace::apps {

void list(OptionList& options, TrainOptions& o) {
  list(options, o.spec);
  options.topic("output", "Output");
  options("run-dir", o.spec.run.directory, "DIR", "directory of the run")
      .by_default("runs/DATE-TIME")
      .of_command();
  options("resume", o.resume, "RUN",
          "resume the run in this directory from its last good checkpoint, with its options; those "
          "on the command line win")
      .never_in_files();
  options("overwrite", o.spec.run.overwrite, "", "replace an existing run").of_command();
  options("print-plan", o.print_plan, "", "print stages and memory without training").of_command();
  options("quiet", o.quiet, "", "print errors only").of_command();
}

}  // namespace millrace::apps

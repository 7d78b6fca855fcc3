#include "apps/callback_options.h"

#include <millrace/core/error.h>

namespace millrace::apps {

void declare(CommandLine& line, CallbackOptions& o) {
  line.topic("callbacks", "While it trains");
  line("no-stop-on-nan", o.no_stop_on_nan, "", "go on when the loss is not a number");
  line("checkpoint-every", o.checkpoint_every, "N",
       "write a checkpoint every N steps, besides those at the end of epochs; default 0: not");
  line("keep-checkpoints", o.keep_checkpoints, "N",
       "how many of the last checkpoints stay, the best one not counted; default 2, 0: all");
  line("no-checkpoints", o.no_checkpoints, "", "write none; the run cannot be resumed");
  line("resume", o.resume, "RUN",
       "go on with the run in this directory from its last good checkpoint; options are those of "
       "the run, others on the command line win");
}

void check(const CallbackOptions& o) {
  if (o.no_checkpoints && (o.checkpoint_every > 0 || !o.resume.empty())) {
    throw UsageError(concat("train: --no-checkpoints contradicts --",
                            o.resume.empty() ? "checkpoint-every" : "resume"));
  }
}

Callbacks make_callbacks(const CallbackOptions& o, bool) {
  Callbacks callbacks;
  if (!o.no_stop_on_nan) callbacks.push_back(stop_on_nan());
  return callbacks;
}

}  // namespace millrace::apps

#include "apps/event_options.h"

#include <millrace/core/error.h>

namespace millrace::apps {

void declare(CommandLine& line, EventOptions& o) {
  line.topic("tensorboard", "TensorBoard (tensorboard --logdir RUN/events)");
  line("no-events", o.no_events, "", "write no event files");
  line("tensorboard-update", o.tensorboard_update, "N",
       "loss and accuracy every N steps too; default 0: only those of epochs");
}

void check(const EventOptions& o) {
  if (o.no_events && o.tensorboard_update > 0) {
    throw UsageError("train: --no-events contradicts --tensorboard-update");
  }
}

}  // namespace millrace::apps

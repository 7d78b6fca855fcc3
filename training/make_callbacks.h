#pragma once
// The callbacks of a spec, and what they watch.

#include <millrace/nn/model.h>
#include <millrace/training/callback.h>
#include <millrace/training/monitor.h>
#include <millrace/training/train_spec.h>

#include <string>
#include <vector>

namespace millrace {

/// What they watch: without a name val_loss, or loss where there is no validation.
[[nodiscard]] Monitor monitor_of(const CallbackSpec& options, bool has_validation);

/// For a resumed run: a line for each callback whose best does not come from the checkpoint,
/// with the reason. Requires: the checkpoint records what was watched.
[[nodiscard]] std::vector<std::string> begun_anew(const CallbackSpec& options,
                                                  const Monitor& monitor,
                                                  const Checkpoint& checkpoint);

/// The callbacks that the options ask for, in the order in which they decide. Throws UsageError.
[[nodiscard]] Callbacks make_callbacks(const CallbackSpec& options, bool has_validation,
                                       const nn::Model& model);

}  // namespace millrace

#pragma once
// What `train` chooses where the user does not say: written into the options, so that what is
// printed, run and saved is one and the same.

#include "apps/data.h"

#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>

#include <filesystem>
#include <optional>
#include <vector>

namespace millrace::apps {

/// Fills in size, channels, model, learning rate, device, threads of decoding, memory budget and
/// run directory. Throws UsageError for values that cannot be read.
void choose(TrainSpec& options, const Dataset& training);

/// The shape of one sample, from the options or the data set's own. Requires: choose().
[[nodiscard]] Shape sample_shape(const TrainSpec& options, const Dataset& training);

/// The classes of the model that the options name, where it has names for them and keeps its
/// output. Requires: choose().
[[nodiscard]] std::optional<KnownClasses> classes_of_model(const TrainSpec& options);

/// The model that the options describe: from the zoo, or a JSON file whose input and number of
/// classes must fit the data. Throws UsageError or Error.
[[nodiscard]] nn::Model make_model(const TrainSpec& options, const Dataset& training);

}  // namespace millrace::apps

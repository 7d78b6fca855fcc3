#pragma once
// Chooses what a spec leaves open and writes it into the spec, so that it is the same when it is
// printed, run and saved.

#include <millrace/io/class_names.h>
#include <millrace/io/dataset.h>
#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>

#include <optional>

namespace millrace {

/// Fills in size, channels, model, what is usual for the optimizer, threads and memory budget from
/// the data and what the process may use of the machine. Throws UsageError or Error for a model or
/// weights that cannot be read.
[[nodiscard]] TrainSpec resolve(TrainSpec spec, const Dataset& training);
/// The part of it that is of the machine alone.
void resolve(MachineSpec& machine);

/// The shape of one sample, from the spec or the data set's own. Requires: resolve().
[[nodiscard]] Shape sample_shape(const TrainSpec& spec, const Dataset& training);

/// The classes of the model that the spec names, where it has names for them and keeps its
/// output. Requires: resolve().
[[nodiscard]] std::optional<KnownClasses> classes_of_model(const TrainSpec& spec);

/// The model that the spec describes: from the zoo, or a JSON file whose input and number of
/// classes must fit the data. Throws UsageError or Error.
[[nodiscard]] nn::Model make_model(const TrainSpec& spec, const Dataset& training);

}  // namespace millrace

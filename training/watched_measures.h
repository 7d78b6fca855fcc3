#pragma once
// What is measured in validation because it is watched or usual.

#include <millrace/io/dataset.h>
#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>

namespace millrace {

/// What --monitor names is measured, and is one of what there is. Targets are for
/// measure_targets(). Throws UsageError.
void measure_what_is_watched(TrainSpec& spec, const Dataset& training);

/// Fills in what is measured of a model with targets: the usual figures, and what is
/// watched. Throws UsageError for a figure that its targets do not have.
void measure_targets(CallbackSpec& spec, bool has_validation, const nn::Model& model);

}  // namespace millrace

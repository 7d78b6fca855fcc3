#pragma once
// The form in which a model learns its labels, and how it must end for that.

#include <millrace/io/dataset.h>
#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>

#include <cstdint>

namespace millrace {

/// The outputs that a model of the zoo gets. Throws UsageError if the mode does not fit.
[[nodiscard]] std::int64_t outputs_for(const LabelSpec& options, std::int64_t classes,
                                       const Shape& sample);

/// The mode that was asked for, or the one that follows from the model's outputs.
[[nodiscard]] ClassMode class_mode_for(const LabelSpec& options, const nn::Model& model);

/// Makes a model end as the mode requires: in a sigmoid to learn its input, unless the user chose
/// its end (`is_own_end`). Throws UsageError if its outputs or its preprocessing do not fit the
/// mode.
void fit_to_class_mode(const LabelSpec& options, std::int64_t classes, bool is_own_end,
                       nn::Model& model);

/// Makes a model end as the targets of the data need, unless its end is the user's own: in a dense
/// layer, or in a sigmoid where all that is known of them is 0 or 1. Gives it their names. Throws
/// UsageError if its end or the options do not fit.
void fit_to_targets(const LabelSpec& options, const Dataset& training, bool is_own_end,
                    nn::Model& model);

}  // namespace millrace

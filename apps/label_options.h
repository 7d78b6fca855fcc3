#pragma once
// The options of `millrace train` that say what a model is told of each sample: the form of its
// labels, and how much each class weighs.

#include "apps/command_line.h"

#include <millrace/nn/model.h>
#include <millrace/nodes/class_mode.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::apps {

struct LabelOptions {
  std::string class_mode;    ///< empty: binary for two classes, else sparse
  std::string class_weight;  ///< "balanced", "cats=2,dogs=1"
  std::string class_names;   ///< as class_names_of() reads it
};

void declare(CommandLine& line, LabelOptions& options);

/// What --class-names says: names with commas between them, or a file with a name a line. Throws
/// UsageError for one name alone, Error if the file cannot be read.
[[nodiscard]] std::vector<std::string> class_names_of(const std::string& text);

/// The same names as words where they can be, so that no file is needed later; else the file's
/// whole path.
[[nodiscard]] std::string class_names_text(const std::string& text);

inline constexpr const char* kClassNamesHelp =
    "what the classes 0, 1, ... are called where they are numbers (IDX, tables, folders named so); "
    "or a file with a name a line";

/// Throws UsageError for a mode that does not exist or gives nothing to learn.
void check(const LabelOptions& options);

/// The outputs that a model of the zoo gets. Throws UsageError where the mode does not fit.
[[nodiscard]] std::int64_t outputs_for(const LabelOptions& options, std::int64_t classes,
                                       const Shape& sample);

/// The mode that was asked for, or the one that the model's outputs speak for.
[[nodiscard]] ClassMode class_mode_for(const LabelOptions& options, const nn::Model& model);

/// Makes a model end as the mode wants: in a sigmoid to learn its input, unless its end is the
/// user's own (`is_own_end`). Throws UsageError if its outputs or its preprocessing do not fit the
/// mode.
void fit_to_class_mode(const LabelOptions& options, std::int64_t classes, bool is_own_end,
                       nn::Model& model);

}  // namespace millrace::apps

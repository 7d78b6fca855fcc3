#pragma once
// Files of options, a line "name = value" each: recipes, and the config.ini of a run.

#include <millrace/training/option_list.h>

#include <filesystem>
#include <string>

namespace millrace {

/// Reads a file into options that the command line did not give. Lines that are empty or begin with
/// # or ; are comments. Throws UsageError that names the file, the line and the key.
void read_recipe(const std::filesystem::path& file, OptionList& options);

/// All options with a value, as read_recipe() takes them; numbers are the shortest that read back
/// equal, and any text survives.
[[nodiscard]] std::string recipe_text(const OptionList& options);

}  // namespace millrace

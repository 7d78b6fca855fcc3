#pragma once
// The options of a command as the manual shows them: a table a topic, made from the rows.

#include <millrace/training/option_list.h>

#include <string>

namespace millrace::apps {

/// What --help says of an option: its help, other names, range and default.
[[nodiscard]] std::string help_of(const Option& option);

/// Markdown: a heading with the command's name, and a table for each topic that has options.
[[nodiscard]] std::string option_tables(const std::string& command, const OptionList& options);

}  // namespace millrace::apps

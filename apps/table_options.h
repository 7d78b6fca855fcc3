#pragma once
// The options of commands that say how a table of numbers is to be read.

#include "apps/command_line.h"

#include <millrace/io/csv_options.h>
#include <millrace/nn/model.h>

#include <string>

namespace millrace::apps {

struct TableOptions {
  std::string header;        ///< "yes", "no"; empty: by the first line
  std::string label_column;  ///< a name, or a number from 1
  std::string separator;     ///< "," ";" "|" ":" or "tab"
};

/// `has_model`: for a command with a model that knows how its data were read.
void declare(CommandLine& line, TableOptions& options, bool has_model);

/// Throws UsageError for other words; a tab, and "\t", become "tab".
void check(const std::string& command, TableOptions& options);

/// What the options say, for data of a model that was trained on such a table, or for data alone.
/// Requires: check().
[[nodiscard]] CsvOptions csv_options(const TableOptions& options, const nn::Model& model = {});

/// Throws UsageError where the options were given and `data`, of this kind, is no table.
void check_is_table(const CsvOptions& options, const std::string& data, bool is_table);

}  // namespace millrace::apps

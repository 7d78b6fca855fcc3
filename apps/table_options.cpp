#include "apps/table_options.h"

#include <millrace/core/error.h>

#include <string>

namespace millrace::apps {

void declare(CommandLine& line, TableOptions& o, bool has_model) {
  line.topic("table", "Tables");
  line("header", o.header, "yes|no",
       has_model ? "whether the first line names the columns; default: as the model's data, else "
                   "if it has a word where another line has a number"
                 : "whether the first line names the columns; default: if it has a word where "
                   "another line has a number");
  line("label-column", o.label_column, "NAME|N",
       has_model ? "the column of the class, by its name or its number from 1; default: as the "
                   "model's data, else the last"
                 : "the column of the class, by its name or its number from 1; default: the last");
  line("separator", o.separator, "CHAR",
       has_model ? "between columns: , ; | : or tab; default: as in the model's data, else a comma"
                 : "between columns: , ; | : or tab; default: a comma");
}

void check(const std::string& command, TableOptions& o) {
  if (!o.header.empty() && o.header != "yes" && o.header != "no") {
    throw UsageError(concat(command, ": --header must be yes or no, not '", o.header, "'"));
  }
  if (o.separator == "\t" || o.separator == "\\t") o.separator = "tab";
  const std::string separator = o.separator == "tab" ? "\t" : o.separator;
  const bool is_one = separator.size() == 1 && is_table_separator(separator[0]);
  if (!separator.empty() && !is_one) {
    throw UsageError(
        concat(command, ": --separator must be ", kTableSeparators, ", not '", o.separator, "'"));
  }
}

CsvOptions csv_options(const TableOptions& o, const nn::Model& model) {
  CsvOptions options{.label = o.label_column, .known = model.table};
  if (!o.header.empty()) options.header = o.header == "yes";
  if (!o.separator.empty()) options.separator = o.separator == "tab" ? '\t' : o.separator[0];
  if (model.input.rank() == 1) options.features = model.input.elements();
  return options;
}

void check_is_table(const CsvOptions& options, const std::string& data, bool is_table) {
  const char* const given = options.header              ? "header"
                            : !options.label.empty()    ? "label-column"
                            : options.separator != '\0' ? "separator"
                                                        : nullptr;
  if (is_table || given == nullptr) return;
  throw UsageError(concat("--", given, " is of tables, and ", data, " is none; leave it out"));
}

}  // namespace millrace::apps

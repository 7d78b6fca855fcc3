#pragma once
// Whether the first line of a table names its columns, and those names.

#include <millrace/io/csv_options.h>
#include <millrace/io/detail/csv_records.h>

#include <string>
#include <vector>

namespace millrace::detail {

struct CsvHeader {
  bool is_there = false;
  std::string note{};  ///< what the user should know about that decision, or empty
};

/// `records` stands at the first record. By the rules of CsvDataset. Throws Error where lines
/// cannot be read before it is known.
[[nodiscard]] CsvHeader csv_header(const CsvRecords& records, const CsvOptions& options);

/// The cells of a record as names, UTF-8.
[[nodiscard]] std::vector<std::string> csv_names(const CsvRecords& records);

/// "'a', 'b', 'c'", of many the first eight: "... and 3 more". For messages.
[[nodiscard]] std::string list_of(const std::vector<std::string>& names);

}  // namespace millrace::detail

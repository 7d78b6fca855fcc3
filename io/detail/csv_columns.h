#pragma once
// Finds out what the columns of a table are: whether the first line names them, which one is the
// label and which ones a model needs.

#include <millrace/io/csv_options.h>
#include <millrace/io/detail/csv_records.h>

#include <cstddef>
#include <string>
#include <vector>

namespace millrace::detail {

struct CsvColumns {
  static constexpr std::ptrdiff_t kLabel = -1, kLeftOut = -2, kTarget = -3;

  bool has_header = false;
  std::vector<std::string> names;     ///< of all columns, UTF-8; empty without a header
  std::vector<std::ptrdiff_t> roles;  ///< what each is: the place of a feature, or one of the above
  std::vector<std::string> features;  ///< their names, in the order of their places
  std::ptrdiff_t label = -1;          ///< its place in the table; -1: there is none
  std::vector<std::ptrdiff_t> targets;  ///< their places, as CsvOptions::used_targets()
  std::vector<std::string> notes;       ///< for Dataset::notes()
};

/// `records` stands at the first record. Throws Error as CsvDataset's constructor does.
[[nodiscard]] CsvColumns csv_columns(const CsvRecords& records, const CsvOptions& options,
                                     const std::string& file);

}  // namespace millrace::detail

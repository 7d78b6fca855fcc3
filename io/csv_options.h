#pragma once
// How a table is to be read.

#include <millrace/core/table_form.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace {

struct CsvOptions {
  std::optional<bool>
      header{};           ///< whether the first line names the columns; empty: see CsvDataset
  std::string label{};    ///< its column: a name or a number from 1; empty: known's, or the last
  char separator = '\0';  ///< '\0': known's, or a comma
  TableForm known{};      ///< how the data were that the model learnt from
  std::int64_t features = 0;  ///< how many the model needs; 0: as many as there are
  bool needs_label = true;    ///< false: the label's column may be missing, and is not looked at
};

}  // namespace millrace

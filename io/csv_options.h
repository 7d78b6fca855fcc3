#pragma once
// How a table is to be read.

#include <millrace/core/table_form.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

struct CsvOptions {
  std::optional<bool>
      header{};         ///< whether the first line names the columns; empty: see CsvDataset
  std::string label{};  ///< its column: a name or a number from 1; empty: known's, or the last
  /// Columns of numbers that a model is to give, likewise; then there is no label, and a cell
  /// without a value is an unknown target. Empty: known's, or none.
  std::vector<std::string> targets{};
  char separator = '\0';                     ///< '\0': known's, or a comma
  TableForm known{};                         ///< how the data were that the model learnt from
  std::vector<std::string> known_targets{};  ///< what the targets of that data are called
  std::int64_t features = 0;                 ///< how many the model needs; 0: as many as there are
  /// false: the columns of label or targets may be missing, and are not looked at
  bool needs_label = true;

  /// Names or numbers of targets, asked for or known; empty where the table has none.
  [[nodiscard]] const std::vector<std::string>& used_targets() const {
    return targets.empty() ? known_targets : targets;
  }
};

}  // namespace millrace

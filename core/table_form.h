#pragma once
// The layout of a table of numbers. A model keeps that of its training table, so that other tables
// are read in the same way.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Whether it may stand between columns: nothing may that numbers, quotes or ends of lines have.
[[nodiscard]] constexpr bool is_table_separator(char c) {
  return std::string_view(",;|:\t").find(c) != std::string_view::npos;
}
constexpr const char* kTableSeparators = ", ; | : or tab";  ///< all of them, for messages

/// Plain data. Names are UTF-8.
struct TableForm {
  std::vector<std::string> columns{};  ///< features in the model's order; empty: there are no names
  std::string label{};                 ///< the name of the label's column; empty: it has none
  std::int64_t label_column = 0;       ///< its place in the table, from 1; 0: not known, the last
  std::vector<std::int64_t> target_columns{};  ///< the places of targets, likewise; empty: none
  std::optional<bool> header{};  ///< whether the first line is one, where that was said
  char separator = '\0';         ///< between columns, where that was said; '\0': a comma

  friend bool operator==(const TableForm&, const TableForm&) = default;
};

}  // namespace millrace

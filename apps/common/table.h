#pragma once
// Text in columns, for terminals.

#include <iosfwd>
#include <string>
#include <vector>

namespace millrace::apps {

/// Rows of cells. Columns are as wide as their widest cell, as a terminal shows it; the first
/// `left_columns` are flush left, the others flush right.
class Table {
 public:
  explicit Table(std::size_t left_columns = 1) : left_columns_(left_columns) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool is_empty() const noexcept { return rows_.empty(); }
  friend std::ostream& operator<<(std::ostream& out, const Table& table);

 private:
  std::size_t left_columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace millrace::apps

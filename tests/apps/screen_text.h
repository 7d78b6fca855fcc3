#pragma once
// A terminal as far as the program knows one: what stands on it after some output, and whether
// anything wrapped. One that gets narrower breaks its lines anew, as most do.

#include <millrace/core/shown_text.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

class ScreenText {
 public:
  explicit ScreenText(int columns) : columns_(static_cast<std::size_t>(columns)) {}

  void resize(int columns) {
    columns_ = static_cast<std::size_t>(columns);
    std::vector<Row> rows;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const std::size_t first = rows.size();
      do {
        const std::size_t from = (rows.size() - first) * columns_;
        const std::size_t end = std::min(from + columns_, rows_[r].size());
        rows.emplace_back(rows_[r].begin() + static_cast<std::ptrdiff_t>(from),
                          rows_[r].begin() + static_cast<std::ptrdiff_t>(end));
      } while ((rows.size() - first) * columns_ < rows_[r].size());
      if (r != row_) continue;  // the cursor stays where its character is
      new_row_ = first + column_ / columns_;
    }
    rows_ = std::move(rows);
    row_ = new_row_;
    column_ %= columns_;
  }

  void write(std::string_view text) {
    while (!text.empty()) text.remove_prefix(take(text));
  }

  /// Rows without the spaces at their ends, and without empty ones at the end.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const Row& row : rows_) {
      std::string line;
      for (const std::string& cell : row) line += cell;
      line.erase(line.find_last_not_of(' ') + 1);
      all.push_back(line);
    }
    while (!all.empty() && all.back().empty()) all.pop_back();
    return all;
  }
  /// The row that the cursor is in.
  [[nodiscard]] std::string line() const {
    return row_ < lines().size() ? lines()[row_] : std::string();
  }
  [[nodiscard]] int wraps() const noexcept { return wraps_; }

 private:
  using Row = std::vector<std::string>;  // a wide character has an empty cell behind it

  /// Takes a character or a code from the front of the text; its bytes.
  std::size_t take(std::string_view text) {
    if (text.front() == '\r') column_ = 0;
    if (text.front() == '\n') {
      ++row_;
      column_ = 0;
    }
    rows_.resize(std::max(rows_.size(), row_ + 1));
    if (text.front() == '\r' || text.front() == '\n') return 1;
    if (text.substr(0, 2) == "\033[") {
      const std::size_t end = text.find_first_not_of("?0123456789;", 2);
      obey(text.substr(2, end - 1));
      return end + 1;
    }
    const std::size_t length = std::max<std::size_t>(1, utf8_length(text));
    put(text.substr(0, length));
    return length;
  }

  void obey(std::string_view code) {
    if (code == "?7l" || code == "?7h") wraps_at_end_ = code == "?7h";
    if (code != "K" && code != "J") return;
    if (rows_[row_].size() > column_) rows_[row_].resize(column_);
    if (code == "J") rows_.resize(row_ + 1);
  }

  void put(std::string_view character) {
    const char32_t code = code_point(character);
    const bool is_mark = code >= 0x300 && code <= 0x36F;
    const std::size_t width = is_mark ? 0 : code >= 0x1100 ? 2 : 1;
    if (is_mark && column_ > 0) {
      rows_[row_][column_ - 1] += character;
      return;
    }
    if (column_ + width > columns_) {
      if (!wraps_at_end_) return;
      ++wraps_;
      column_ = 0;
      rows_.resize(std::max(rows_.size(), ++row_ + 1));
    }
    Row& row = rows_[row_];
    if (row.size() < column_ + width) row.resize(column_ + width, " ");
    row[column_] = character;
    if (width == 2) row[column_ + 1].clear();
    column_ += width;
  }

  std::size_t columns_, row_ = 0, column_ = 0, new_row_ = 0;
  std::vector<Row> rows_{1};
  bool wraps_at_end_ = true;
  int wraps_ = 0;
};

}  // namespace millrace::test

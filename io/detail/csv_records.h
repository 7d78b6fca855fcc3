#pragma once
// Cuts the text of a table into records and cells as Python's csv module does, and counts lines.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::detail {

/// Room for an image of 1024 x 1024 and its label. A line with more is none of a table, and would
/// take many times its own memory.
constexpr std::size_t kMostCsvColumns = std::size_t{1} << 21;

struct CsvCell {
  std::string_view text;  ///< without spaces around; of quotes what is between, "" not yet undone
  bool is_quoted = false;

  /// With "" as one quote.
  [[nodiscard]] std::string unquoted() const;
};

/// Records end with \n, \r\n or \r, which quoted cells may hold. Blank lines are passed over.
/// Refers to `text`, which must stay; a copy continues from where the original is.
class CsvRecords {
 public:
  CsvRecords(std::string_view text, char separator, std::string file);

  /// Goes to the next record; false at the end. Throws Error with the line: a zero byte, a quote
  /// that is not closed or has something beside it, more than kMostCsvColumns.
  bool next();
  [[nodiscard]] const std::vector<CsvCell>& cells() const noexcept { return cells_; }
  /// On which line of the file the record begins, from 1.
  [[nodiscard]] std::int64_t line() const noexcept { return line_; }
  [[nodiscard]] std::string_view text() const noexcept {
    return text_.substr(begin_, end_ - begin_);
  }
  [[nodiscard]] char separator() const noexcept { return separator_; }

 private:
  void read_cell();
  void read_quoted();
  [[nodiscard]] bool ends_record();
  void count_line_end(char c);
  [[nodiscard]] bool is_blank(char c) const { return c == ' ' || (c == '\t' && separator_ != c); }
  [[noreturn]] void fail(std::int64_t line, std::string_view what) const;

  std::string_view text_;
  char separator_;
  std::string file_;
  std::vector<CsvCell> cells_;
  std::size_t at_ = 0, begin_ = 0, end_ = 0;
  std::int64_t line_ = 0, here_ = 1;  // of the record, of at_
};

}  // namespace millrace::detail

#include <millrace/io/detail/csv_records.h>

#include <millrace/core/error.h>

namespace millrace::detail {
namespace {

constexpr char kQuote = '"';
constexpr const char* kZeroByte =
    "a zero byte, so this is no text in UTF-8 (spreadsheets may save UTF-16); save it as UTF-8";

bool is_line_end(char c) {
  return c == '\n' || c == '\r';
}

}  // namespace

std::string CsvCell::unquoted() const {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    result += text[i];
    if (is_quoted && text[i] == kQuote) ++i;  // the second of two
  }
  return result;
}

CsvRecords::CsvRecords(std::string_view text, char separator, std::string file)
    : text_(text), separator_(separator), file_(std::move(file)) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // spreadsheets write one
  if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
}

bool CsvRecords::next() {
  const auto is_empty_line = [&] {
    return cells_.size() == 1 && !cells_[0].is_quoted && cells_[0].text.empty();
  };
  do {
    if (at_ == text_.size()) return false;
    line_ = here_;
    begin_ = at_;
    cells_.clear();
    do read_cell();
    while (!ends_record());
  } while (is_empty_line());
  return true;
}

void CsvRecords::read_cell() {
  if (cells_.size() == kMostCsvColumns) {
    fail(line_, concat("more than ", kMostCsvColumns, " columns, which no table has"));
  }
  std::size_t first = at_;
  while (first < text_.size() && is_blank(text_[first])) ++first;
  if (first < text_.size() && text_[first] == kQuote) {
    if (first != at_) fail(here_, "a space before a quote; leave it out");
    read_quoted();
    return;
  }
  at_ = first;
  std::size_t end = first;  // behind the last that is not a space
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    if (c == separator_ || is_line_end(c)) break;
    if (c == '\0') fail(here_, kZeroByte);
    if (!is_blank(c)) end = at_ + 1;
  }
  cells_.push_back({text_.substr(first, end - first), false});
}

void CsvRecords::read_quoted() {
  const std::int64_t opened = here_;
  const std::size_t first = ++at_;
  for (;; ++at_) {
    if (at_ == text_.size()) fail(opened, "a quote that is not closed");
    const char c = text_[at_];
    if (c == '\0') fail(here_, kZeroByte);
    if (is_line_end(c)) count_line_end(c);
    if (c != kQuote) continue;
    const bool is_doubled = at_ + 1 < text_.size() && text_[at_ + 1] == kQuote;
    if (!is_doubled) break;
    ++at_;
  }
  cells_.push_back({text_.substr(first, at_ - first), true});
  ++at_;
  const bool is_ended = at_ == text_.size() || text_[at_] == separator_ || is_line_end(text_[at_]);
  if (!is_ended) {
    fail(here_,
         "text or a space after a closing quote; a quote inside quotes is written twice (\"\")");
  }
}

bool CsvRecords::ends_record() {
  end_ = at_;
  if (at_ == text_.size()) return true;
  const char c = text_[at_++];
  if (c == separator_) return false;
  if (c == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
  ++here_;
  return true;
}

// Of \r\n the second counts.
void CsvRecords::count_line_end(char c) {
  const bool is_half = c == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
  if (!is_half) ++here_;
}

void CsvRecords::fail(std::int64_t line, std::string_view what) const {
  throw Error(concat(file_, ":", line, ": ", what));
}

}  // namespace millrace::detail

#include <millrace/io/detail/csv_header.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/csv_number.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace millrace::detail {
namespace {

/// 0,1,...,n-1, as pandas names columns that have no names.
bool is_counting(const std::vector<CsvCell>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].is_quoted || cells[i].text != std::to_string(i)) return false;
  }
  return cells.size() > 1;
}

bool is(CsvKind kind, const CsvCell& cell) {
  return csv_value(cell).kind == kind;
}

const CsvCell* first_number(const std::vector<CsvCell>& cells) {
  const auto found = std::find_if(cells.begin(), cells.end(),
                                  [](const CsvCell& cell) { return is(CsvKind::number, cell); });
  return found == cells.end() ? nullptr : &*found;
}

/// Whether a line behind the first has a number where that has a word; or there is none, and no
/// number in the first. Throws Error where lines cannot be read before that is known.
bool is_named_by_words(CsvRecords records) {
  const std::vector<CsvCell> first = records.cells();
  std::vector<std::size_t> words;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (is(CsvKind::word, first[i])) words.push_back(i);
  }
  if (words.empty()) return false;
  if (!records.next()) return first_number(first) == nullptr;
  do {
    const std::vector<CsvCell>& cells = records.cells();
    for (const std::size_t i : words) {
      if (i < cells.size() && !cells[i].is_quoted && is(CsvKind::number, cells[i])) return true;
    }
  } while (records.next());
  return false;
}

bool has_known_columns(const std::vector<CsvCell>& cells, const TableForm& known) {
  if (known.columns.empty()) return false;
  std::unordered_set<std::string> missing(known.columns.begin(), known.columns.end());
  for (const CsvCell& cell : cells) missing.erase(as_utf8(cell.unquoted()));
  return missing.empty();
}

}  // namespace

CsvHeader csv_header(const CsvRecords& records, const CsvOptions& options) {
  const std::vector<CsvCell>& first = records.cells();
  const std::optional<bool> said = options.header ? options.header : options.known.header;
  if (said) return {*said};
  if (has_known_columns(first, options.known)) return {true};
  if (is_counting(first)) {
    return {true,
            concat("line ", records.line(), ", ", list_of(csv_names(records)),
                   ", is taken for a header, as pandas writes it; if it is a sample: --header no")};
  }
  if (!is_named_by_words(records)) return {};
  const CsvCell* const number = first_number(first);
  if (number == nullptr) return {true};
  return {true,
          concat("line ", records.line(), " is taken for a header, though ", shown(quoted(*number)),
                 " in it is a number; if it is a sample: --header no")};
}

std::vector<std::string> csv_names(const CsvRecords& records) {
  std::vector<std::string> names;
  for (const CsvCell& cell : records.cells()) names.push_back(as_utf8(cell.unquoted()));
  return names;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 8;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) {
    list += concat(i == 0 ? "'" : ", '", shown(names[i]), "'");
  }
  return names.size() > kMost ? concat(list, " and ", names.size() - kMost, " more") : list;
}

}  // namespace millrace::detail

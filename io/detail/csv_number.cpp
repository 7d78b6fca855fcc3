#include <millrace/io/detail/csv_number.h>

#include <millrace/core/error.h>
#include <millrace/core/lower_case.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace millrace::detail {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What programs write where there is no value.
bool is_missing(std::string_view text) {
  constexpr std::array kWords{"",    "?",    "-",       "--",      ".",     "nan",   "-nan",
                              "na",  "n/a",  "#n/a",    "#na",     "<na>",  "null",  "none",
                              "nil", "n.a.", "#div/0!", "#value!", "#ref!", "#num!", "#name?"};
  return std::find(kWords.begin(), kWords.end(), lower_case(text)) != kWords.end();
}

// A digit behind signs, points, currencies and what else may stand before a number, all that is not
// ASCII included: a minus of Unicode, a space that is not broken.
bool begins_as_number(std::string_view text) {
  constexpr std::string_view kBefore = " +-.,'\"$(<>=~#%";
  const auto first = std::find_if(text.begin(), text.end(), [&](char c) {
    return static_cast<unsigned char>(c) < 0x80 && kBefore.find(c) == std::string_view::npos;
  });
  return first != text.end() && is_digit(*first);
}

// Of a number that double cannot hold: whether it is too small, and not too large.
bool is_tiny(std::string_view text) {
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  const std::size_t point = std::min(text.find('.'), e);
  const std::size_t first = text.find_first_of("123456789");
  double magnitude = 0;  // where the first digit stands; double, since exponents have no bound
  if (e < text.size()) {
    std::string_view digits = text.substr(e + 1);
    const bool is_negative = digits.starts_with('-');
    if (is_negative || digits.starts_with('+')) digits.remove_prefix(1);
    for (const char c : digits) magnitude = 10 * magnitude + (c - '0');
    if (is_negative) magnitude = -magnitude;
  }
  return magnitude + static_cast<double>(point) - static_cast<double>(first) < 0;
}

}  // namespace

CsvValue csv_value(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() > 1 && digits[0] == '+' && digits[1] != '-') digits.remove_prefix(1);
  const char* const end = digits.data() + digits.size();
  double value = 0;
  const auto read = std::from_chars(digits.data(), end, value);
  if (read.ptr == end && !digits.empty() && !std::isnan(value)) {
    const bool has_digits = digits.find_first_of("0123456789") != std::string_view::npos;
    if (!has_digits) return {CsvKind::infinite, 0};
    if (read.ec != std::errc{} || std::isinf(value)) {
      if (!is_tiny(digits)) return {CsvKind::too_large, 0};
      return {CsvKind::number, digits[0] == '-' ? -0.0 : 0.0};
    }
    if (std::fabs(value) > std::numeric_limits<float>::max()) return {CsvKind::too_large, 0};
    return {CsvKind::number, value};
  }
  if (is_missing(text)) return {CsvKind::missing, 0};
  return {begins_as_number(text) ? CsvKind::unclear : CsvKind::word, 0};
}

CsvValue csv_value(const CsvCell& cell) {
  if (!cell.is_quoted) return csv_value(cell.text);
  const std::size_t first = cell.text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {CsvKind::missing, 0};
  const std::size_t last = cell.text.find_last_not_of(" \t");
  return csv_value(cell.text.substr(first, last - first + 1));
}

std::string quoted(const CsvCell& cell) {
  constexpr std::size_t kMost = 40;
  const std::string text = cell.unquoted();
  return concat("'", text.substr(0, kMost), text.size() > kMost ? "..." : "", "'");
}

std::string csv_problem(const CsvCell& cell) {
  switch (csv_value(cell).kind) {
    case CsvKind::number:
      return concat(quoted(cell), " is a number in quotes; write it without them");
    case CsvKind::too_large:
      return concat(quoted(cell),
                    " is a number that is too large; the largest of float32 is 3.4e38");
    case CsvKind::infinite: return concat(quoted(cell), " is not finite; give a finite number");
    case CsvKind::missing:
      return concat(cell.text.empty() ? std::string("the cell is empty")
                                      : concat(quoted(cell), " is no value"),
                    "; fill it in or leave the row out");
    case CsvKind::unclear:
      if (cell.text.find_first_of(",' _") == std::string_view::npos) break;
      return concat(quoted(cell),
                    " is not a number; write decimals with a point and nothing between thousands, "
                    "as in 1234.5");
    case CsvKind::word: break;
  }
  return concat(quoted(cell), " is not a number");
}

}  // namespace millrace::detail

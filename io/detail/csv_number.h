#pragma once
// What a cell of a table says: a number, or what else.

#include <millrace/io/detail/csv_records.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::detail {

/// unclear: no number, but it begins as one does, as in 1,5 or 0x10 or 12abc or $5. word: all else.
enum class CsvKind : std::uint8_t { number, too_large, infinite, missing, unclear, word };

struct CsvValue {
  CsvKind kind = CsvKind::missing;
  double value = 0;  ///< of a number; float32 can hold it, 0 where it is too small for that
};

/// A number is [+-] digits, with one point or none among or around them, and e[+-] digits or
/// nothing. Missing are nothing, ?, nan, NA, N/A, null, None and the like, in any case.
[[nodiscard]] CsvValue csv_value(std::string_view text);

/// As csv_value() of the text without the quotes.
[[nodiscard]] CsvValue csv_value(const CsvCell& cell);

/// Why a cell is no number, and what to do.
[[nodiscard]] std::string csv_problem(const CsvCell& cell);

/// The text of a cell for messages: in quotes, shortened.
[[nodiscard]] std::string quoted(const CsvCell& cell);

}  // namespace millrace::detail

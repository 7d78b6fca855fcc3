#include <millrace/core/text_width.h>

#include <millrace/core/shown_text.h>

#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace millrace {
namespace {

constexpr char32_t kAsEmoji = 0xFE0F;  // draws the character before it as a wide one

/// Makes the system's tables of characters those of UTF-8 for this thread and a scope, whatever the
/// program's locale is.
class Utf8Scope {
 public:
  Utf8Scope() : before_(tables() == nullptr ? nullptr : uselocale(tables())) {}
  ~Utf8Scope() {
    if (before_ != nullptr) uselocale(before_);
  }
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;

  [[nodiscard]] int columns(char32_t code) const {
    if (code < 0x80) return 1;
    const int known = before_ == nullptr ? -1 : wcwidth(static_cast<wchar_t>(code));
    return known < 0 ? 2 : known;
  }

 private:
  static locale_t tables() {
    static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return utf8;
  }
  locale_t before_;
};

/// A character with the marks that join it.
struct Cell {
  std::size_t bytes = 0;
  int columns = 0;
};

std::vector<Cell> cells_of(std::string_view text) {
  const Utf8Scope utf8;
  std::vector<Cell> cells;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::size_t bytes = std::max<std::size_t>(1, length);
    const char32_t code = length == 0 ? 0 : code_point(text.substr(0, length));
    const int columns = length == 0 ? 1 : utf8.columns(code);
    if (columns > 0 || cells.empty()) {
      cells.push_back({bytes, columns});
    } else {
      cells.back().bytes += bytes;
      if (code == kAsEmoji && cells.back().columns == 1) cells.back().columns = 2;
    }
    text.remove_prefix(bytes);
  }
  return cells;
}

/// Bytes of the cells that fit.
template <class Iterator>
std::size_t bytes_within(Iterator cell, Iterator end, int columns) {
  std::size_t bytes = 0;
  for (; cell != end && cell->columns <= columns; ++cell) {
    columns -= cell->columns;
    bytes += cell->bytes;
  }
  return bytes;
}

}  // namespace

int text_columns(std::string_view text) {
  int columns = 0;
  for (const Cell& cell : cells_of(text)) columns += cell.columns;
  return columns;
}

std::string shortened(std::string_view text, int columns, double tail) {
  constexpr std::string_view kDots = "...";
  if (text_columns(text) <= columns) return std::string(text);
  const std::vector<Cell> cells = cells_of(text);
  const int kept = std::max(0, columns - static_cast<int>(kDots.size()));
  const int last = static_cast<int>(kept * tail);
  const std::size_t head_bytes = bytes_within(cells.begin(), cells.end(), kept - last);
  const std::size_t tail_bytes = bytes_within(cells.rbegin(), cells.rend(), last);
  std::string result(text.substr(0, head_bytes));
  result += kDots.substr(0, static_cast<std::size_t>(std::clamp(columns, 0, 3)));
  return result += text.substr(text.size() - tail_bytes);
}

}  // namespace millrace

#include "apps/common/table.h"

#include <millrace/core/text_width.h>

#include <algorithm>
#include <ostream>

namespace millrace::apps {

std::ostream& operator<<(std::ostream& out, const Table& table) {
  const auto width_of = [](const std::string& text) {
    return static_cast<std::size_t>(text_columns(text));
  };
  std::vector<std::size_t> widths;
  for (const std::vector<std::string>& row : table.rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  for (const std::vector<std::string>& row : table.rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string gap(widths[c] - width_of(row[c]), ' ');
      line += c == 0 ? "" : "  ";
      line += c < table.left_columns_ ? row[c] + gap : gap + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
  return out;
}

}  // namespace millrace::apps

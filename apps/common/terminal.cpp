#include "apps/common/terminal.h"

#include <millrace/core/text_width.h>

#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string_view>
#include <vector>

namespace millrace::apps {
namespace {

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

bool is_terminal(int file) {
  const std::string_view kind = variable("TERM");
  return isatty(file) != 0 && !kind.empty() && kind != "dumb" && variable("CI").empty();
}

const char* last_words() {
  return is_terminal(STDOUT_FILENO) ? kWipe : "";
}

int terminal_columns() {
  return columns_of(STDOUT_FILENO);
}

int columns_of(int file) {
  winsize size{};
  if (ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  constexpr int kUsual = 80, kMost = 10'000;
  const int told = std::atoi(std::string(variable("COLUMNS")).c_str());
  return told > 0 && told < kMost ? told : kUsual;
}

std::ostream& Screen::stream() const {
  return out != nullptr ? *out : std::cout;
}

void StatusLine::draw(const std::string& text) {
  // Without wrapping (7), in case the terminal gets narrower in this moment. All in one write.
  screen_->stream() << "\r\033[?7l" + text + "\033[J\033[?7h\r" << std::flush;
  is_drawn_ = true;
}

void StatusLine::clear() {
  if (is_drawn_) screen_->stream() << kWipe << std::flush;
  is_drawn_ = false;
}

std::string fitted(std::span<const LinePart> parts, int columns) {
  constexpr std::string_view kGap = "  ";
  std::vector<std::size_t> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return parts[a].rank < parts[b].rank; });
  std::vector<bool> stays(parts.size());
  int taken = -static_cast<int>(kGap.size());
  for (const std::size_t i : order) {
    const int with_it = taken + static_cast<int>(kGap.size()) + text_columns(parts[i].text);
    stays[i] = !parts[i].text.empty() && (columns == 0 || with_it <= columns);
    if (stays[i]) taken = with_it;
  }
  std::string line;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!stays[i]) continue;
    line += line.empty() ? "" : kGap;
    line += parts[i].text;
  }
  return line.empty() && !parts.empty() ? shortened(parts.front().text, columns) : line;
}

}  // namespace millrace::apps

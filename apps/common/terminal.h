#pragma once
// The screen: whether there is one, how wide it is, and a line on it that is redrawn.

#include <chrono>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>

namespace millrace::apps {

/// Whether `file` is a terminal on which lines can be drawn again: none under TERM=dumb, without
/// TERM, or where CI is set, since what is shown there is kept as it was written.
[[nodiscard]] bool is_terminal(int file);

/// Columns of the terminal on standard output, asked for each time, as users change its size.
/// If it does not say, those of COLUMNS, else 80.
[[nodiscard]] int terminal_columns();
/// The same of another stream's terminal.
[[nodiscard]] int columns_of(int file);

enum class Show { nothing, lines, bar };

/// Where progress is shown; tests set their own clocks and widths.
struct Screen {
  using Clock = std::chrono::steady_clock;
  Screen(Show how) : show(how) {}  // NOLINT(google-explicit-constructor): the program's own
  Show show;
  std::ostream* out = nullptr;  ///< null: standard output
  std::function<int()> columns = terminal_columns;
  std::function<Clock::time_point()> now = [] { return Clock::now(); };

  [[nodiscard]] std::ostream& stream() const;
  /// Of a line that does not wrap: one fewer than there are, as the last one makes some wrap.
  [[nodiscard]] int line_columns() const { return columns() - 1; }
};

/// A line of the screen that is drawn again. In between the cursor stands at its front: where a
/// terminal that got narrower has broken the line, all of it is below the cursor and is wiped.
class StatusLine {
 public:
  explicit StatusLine(const Screen& screen) : screen_(&screen) {}
  /// In place of what was drawn before. Requires: fewer columns than the screen has.
  void draw(const std::string& text);
  /// Takes it off the screen, before something else is printed.
  void clear();

 private:
  const Screen* screen_;
  bool is_drawn_ = false;
};

/// What takes a drawn line off a terminal.
inline constexpr const char* kWipe = "\r\033[J";
/// For Interrupt: the same where standard output is a terminal.
[[nodiscard]] const char* last_words();

/// A part of a line. Where there is not room for all, those of lower rank stay.
struct LinePart {
  std::string text;  ///< empty: left out
  int rank = 0;
};

/// Those parts that fit, in their order and two spaces apart, chosen by rank and among equals from
/// the front; where none does, the first one, shortened. `columns` 0: all parts.
[[nodiscard]] std::string fitted(std::span<const LinePart> parts, int columns);

}  // namespace millrace::apps

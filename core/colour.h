#pragma once
// A colour with 8 bits a channel, and its text for users and files.

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Colour&) const = default;
};

/// Reads "#rrggbb", "#rgb", "R,G,B" of decimal numbers from 0 to 255, or one of the 16 names of
/// HTML and grey, magenta, cyan, orange, pink and brown, with Pillow's values: green is 0,128,0.
/// Case does not matter, nor do blanks around the numbers. Throws UsageError that says what is
/// expected, without the option's name.
[[nodiscard]] Colour parse_colour(std::string_view text);

/// "#rrggbb", which parse_colour() reads back.
[[nodiscard]] std::string to_string(const Colour& colour);

}  // namespace millrace

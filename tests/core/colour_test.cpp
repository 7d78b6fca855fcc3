#include <millrace/core/colour.h>
#include <millrace/core/error.h>

#include "catch.h"

#include <map>

using namespace millrace;
using Catch::Contains;

TEST_CASE("colours of hexadecimal digits are read in both lengths and cases") {
  CHECK(parse_colour("#123456") == Colour{0x12, 0x34, 0x56});
  CHECK(parse_colour("#FfAa00") == Colour{255, 170, 0});
  CHECK(parse_colour("#18f") == Colour{0x11, 0x88, 0xFF});
}

TEST_CASE("colours of three numbers are read with and without blanks") {
  CHECK(parse_colour("18,52,86") == Colour{18, 52, 86});
  CHECK(parse_colour(" 0, 255 , 007 ") == Colour{0, 255, 7});
}

TEST_CASE("names of colours have the values of Pillow and HTML") {
  // PIL.ImageColor.getrgb() of Pillow 12.1.1.
  const std::map<std::string, Colour> values = {
      {"aqua", {0, 255, 255}},     {"black", {0, 0, 0}},       {"blue", {0, 0, 255}},
      {"brown", {165, 42, 42}},    {"cyan", {0, 255, 255}},    {"fuchsia", {255, 0, 255}},
      {"gray", {128, 128, 128}},   {"green", {0, 128, 0}},     {"grey", {128, 128, 128}},
      {"lime", {0, 255, 0}},       {"magenta", {255, 0, 255}}, {"maroon", {128, 0, 0}},
      {"navy", {0, 0, 128}},       {"olive", {128, 128, 0}},   {"orange", {255, 165, 0}},
      {"pink", {255, 192, 203}},   {"purple", {128, 0, 128}},  {"red", {255, 0, 0}},
      {"silver", {192, 192, 192}}, {"teal", {0, 128, 128}},    {"white", {255, 255, 255}},
      {"yellow", {255, 255, 0}},   {"White", {255, 255, 255}}};
  for (const auto& [name, colour] : values) {
    INFO(name);
    CHECK(parse_colour(name) == colour);
  }
}

TEST_CASE("a colour becomes text that gives the same colour") {
  CHECK(to_string(Colour{0x12, 0x34, 0x56}) == "#123456");
  CHECK(to_string(parse_colour("Orange")) == "#ffa500");
  for (int value = 0; value < 256; ++value) {
    const auto channel = static_cast<std::uint8_t>(value);
    const Colour colour{channel, static_cast<std::uint8_t>(255 - value), 7};
    CHECK(parse_colour(to_string(colour)) == colour);
  }
}

TEST_CASE("what is no colour is refused with what is expected") {
  for (const char* text : {"",
                           " ",
                           ",",
                           ",,",
                           "#",
                           "#12",
                           "#1234",
                           "#12345",
                           "#1234567",
                           "#12345678",
                           "#12345g",
                           "123456",
                           "#-12345",
                           "1,2",
                           "1,2,",
                           ",1,2",
                           "1,2,3,",
                           "1,2,3,4",
                           "1,2,256",
                           "1,2,-3",
                           "1,2,+3",
                           "1,2,3.0",
                           "1,2,3 4",
                           "0x1,2,3",
                           "1;2;3",
                           "rgb(1,2,3)",
                           "whit",
                           "whitee",
                           "white ",
                           "transparent",
                           "1,2,99999999999999999999"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_colour(text), UsageError);
  }
  CHECK_THROWS_WITH(
      parse_colour("wh\nite"),
      "'wh\\nite' is not a colour; expected #rrggbb, #rgb, R,G,B of 0 to 255 or a name: aqua, "
      "black, "
      "blue, brown, cyan, fuchsia, gray, green, grey, lime, magenta, maroon, navy, olive, orange, "
      "pink, purple, red, silver, teal, white, yellow");
}

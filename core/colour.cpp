#include <millrace/core/colour.h>

#include <millrace/core/error.h>
#include <millrace/core/lower_case.h>
#include <millrace/core/shown_text.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace millrace {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

struct Named {
  std::string_view name;
  Colour colour;
};
constexpr std::array<Named, 22> kNamed = {{
    {"aqua", {0, 255, 255}},     {"black", {0, 0, 0}},       {"blue", {0, 0, 255}},
    {"brown", {165, 42, 42}},    {"cyan", {0, 255, 255}},    {"fuchsia", {255, 0, 255}},
    {"gray", {128, 128, 128}},   {"green", {0, 128, 0}},     {"grey", {128, 128, 128}},
    {"lime", {0, 255, 0}},       {"magenta", {255, 0, 255}}, {"maroon", {128, 0, 0}},
    {"navy", {0, 0, 128}},       {"olive", {128, 128, 0}},   {"orange", {255, 165, 0}},
    {"pink", {255, 192, 203}},   {"purple", {128, 0, 128}},  {"red", {255, 0, 0}},
    {"silver", {192, 192, 192}}, {"teal", {0, 128, 128}},    {"white", {255, 255, 255}},
    {"yellow", {255, 255, 0}},
}};

// What follows the '#': 6 digits, or 3 that count twice each.
std::optional<Colour> from_hex(std::string_view digits) {
  if (digits.size() != 3 && digits.size() != 6) return std::nullopt;
  const std::size_t each = digits.size() / 3;
  std::array<std::uint8_t, 3> channels{};
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::size_t high = kHexDigits.find(digits[i * each]);
    const std::size_t low = kHexDigits.find(digits[i * each + each - 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    channels[i] = static_cast<std::uint8_t>(16 * high + low);
  }
  return Colour{channels[0], channels[1], channels[2]};
}

std::optional<std::uint8_t> channel_of(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(' ') + 1 - first);
  std::uint8_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

std::optional<Colour> from_numbers(std::string_view text) {
  const std::size_t first = text.find(',');
  const std::size_t second = text.find(',', std::min(first, text.size() - 1) + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto red = channel_of(text.substr(0, first));
  const auto green = channel_of(text.substr(first + 1, second - first - 1));
  const auto blue = channel_of(text.substr(second + 1));
  if (!red || !green || !blue) return std::nullopt;
  return Colour{*red, *green, *blue};
}

std::optional<Colour> find_colour(const std::string& text) {
  if (text.starts_with('#')) return from_hex(std::string_view(text).substr(1));
  const auto* const named = std::find_if(kNamed.begin(), kNamed.end(),
                                         [&](const Named& one) { return one.name == text; });
  if (named != kNamed.end()) return named->colour;
  return text.empty() ? std::nullopt : from_numbers(text);
}

}  // namespace

Colour parse_colour(std::string_view text) {
  if (const auto colour = find_colour(lower_case(text))) return *colour;
  std::string names;
  for (const Named& one : kNamed) {
    names += names.empty() ? "" : ", ";
    names += one.name;
  }
  throw UsageError(concat("'", shown(text),
                          "' is not a colour; expected #rrggbb, #rgb, R,G,B of "
                          "0 to 255 or a name: ",
                          names));
}

std::string to_string(const Colour& colour) {
  std::string text = "#";
  for (const std::uint8_t channel : {colour.red, colour.green, colour.blue}) {
    text += {kHexDigits[channel >> 4], kHexDigits[channel & 15]};
  }
  return text;
}

}  // namespace millrace

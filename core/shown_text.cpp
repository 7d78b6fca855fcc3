#include <millrace/core/shown_text.h>

#include <array>
#include <cstdint>
#include <cstdio>

namespace millrace {
namespace {

std::string escape(const char* pattern, unsigned value) {
  std::array<char, 16> code{};
  std::snprintf(code.data(), code.size(), pattern, value);
  return code.data();
}

std::string control(char c) {
  switch (c) {
    case '\t': return "\\t";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\x1b': return "\\e";
    default: return escape("\\x%02x", static_cast<unsigned char>(c));
  }
}

/// C1 controls, separators of lines and paragraphs, and what turns the direction of the text.
bool is_control(char32_t code) {
  return (code >= 0x80 && code <= 0x9F) || code == 0x2028 || code == 0x2029 ||
         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

std::string escaped(std::string_view text, bool with_controls) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    const auto lead = static_cast<unsigned char>(sequence.front());
    if (length == 0)
      result += escape("\\x%02x", lead);
    else if (with_controls && length == 1 && (lead < 0x20 || lead == 0x7F))
      result += control(sequence.front());
    else if (with_controls && is_control(code_point(sequence)))
      result += escape("\\u%04x", static_cast<unsigned>(code_point(sequence)));
    else
      result += sequence;
    text.remove_prefix(sequence.size());
  }
  return result;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  const bool is_overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
  const bool is_surrogate = lead == 0xED && byte(1) > 0x9F;
  const bool is_too_large = lead == 0xF4 && byte(1) > 0x8F;
  return is_overlong || is_surrogate || is_too_large ? 0 : length;
}

char32_t code_point(std::string_view sequence) {
  constexpr std::array<unsigned, 5> kLead = {0, 0x7F, 0x1F, 0x0F, 0x07};  // bits, by length
  char32_t code = static_cast<unsigned char>(sequence.front()) & kLead.at(sequence.size());
  for (const char c : sequence.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3F);
  return code;
}

std::string shown(std::string_view text) {
  return escaped(text, true);
}

std::string as_utf8(std::string_view text) {
  return escaped(text, false);
}

}  // namespace millrace

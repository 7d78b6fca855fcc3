#include <millrace/io/class_names.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>

#include <locale.h>
#include <wctype.h>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

using Letters = std::u32string;

Letters letters_of(std::string_view text) {
  Letters letters;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return {};
    letters += code_point(text.substr(0, length));
    text.remove_prefix(length);
  }
  return letters;
}

bool is_within(char32_t c, char32_t first, char32_t last) {
  return first <= c && c <= last;
}

/// Accents, points of vowels, voicing marks: what stands behind a letter and is shown with it.
bool is_mark(char32_t c) {
  return is_within(c, 0x300, 0x36F) || is_within(c, 0x591, 0x5C7) || is_within(c, 0x64B, 0x65F) ||
         c == 0x93C || c == 0x9BC || c == 0xA3C || is_within(c, 0x1AB0, 0x1AFF) ||
         is_within(c, 0x1DC0, 0x1DFF) || is_within(c, 0x20D0, 0x20FF) || c == 0x3099 ||
         c == 0x309A || is_within(c, 0xFE20, 0xFE2F);
}

/// Parts of which Korean syllables are made.
bool is_jamo(char32_t c) {
  return is_within(c, 0x1100, 0x11FF);
}

/// How many letters at `at` are one that is written in parts (NFD); 0 if none are.
std::size_t parts_at(const Letters& text, std::size_t at) {
  std::size_t count = 1;
  const auto follows = [&] { return at + count < text.size(); };
  if (is_jamo(text[at])) {
    while (follows() && count < 3 && is_jamo(text[at + count])) ++count;
  } else {
    while (follows() && is_mark(text[at + count])) ++count;
  }
  return count > 1 ? count : 0;
}

/// Lower case, in all alphabets and whatever the locale of the user.
char32_t folded(char32_t c) {
  static const locale_t kUnicode = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (kUnicode == nullptr) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(::towlower_l(static_cast<wint_t>(c), kUnicode));
}

bool is_upper(char32_t c) {
  return folded(c) != c;
}

Letters folded(Letters letters) {
  for (char32_t& c : letters) c = folded(c);
  return letters;
}

Letters without_spaces(const Letters& letters) {
  Letters result;
  for (const char32_t c : letters) {
    const bool is_space =
        c == ' ' || c == '\t' || c == '_' || c == 0xA0 || c == '\r' || is_within(c, 0x2000, 0x200B);
    if (!is_space) result += c;
  }
  return result;
}

std::string codes(const Letters& text, std::size_t at, std::size_t count) {
  std::string result;
  for (const char32_t c : text.substr(at, count)) {
    std::array<char, 16> code{};
    std::snprintf(code.data(), code.size(), "U+%04X", static_cast<unsigned>(c));
    result += concat(result.empty() ? "" : " ", code.data());
  }
  return result;
}

/// The first letter that one writes as a whole and the other in parts, if that is all in which
/// they differ. No table says which parts make which letter: that two names of a data set and a
/// model differ in another letter at the same place, with a mark of its own, does not happen.
std::optional<std::string> difference_in_form(const Letters& a, const Letters& b) {
  std::optional<std::string> first;
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const std::size_t in_a = parts_at(a, i), in_b = parts_at(b, j);
    if (a[i] == b[j] && (in_a > 0) == (in_b > 0)) {
      ++i;
      ++j;
      continue;
    }
    const bool a_is_whole = in_a == 0 && a[i] > 0x7F, b_is_whole = in_b == 0 && b[j] > 0x7F;
    const bool is_one_letter = (a_is_whole && in_b > 0) || (b_is_whole && in_a > 0);
    if (!is_one_letter || is_upper(a[i]) != is_upper(b[j])) return {};
    const std::size_t step_a = in_a > 0 ? in_a : 1, step_b = in_b > 0 ? in_b : 1;
    if (!first) first = concat(codes(a, i, step_a), " against ", codes(b, j, step_b));
    i += step_a;
    j += step_b;
  }
  return i == a.size() && j == b.size() ? first : std::nullopt;
}

}  // namespace

std::string difference(const std::string& a, const std::string& b) {
  if (a == b) return {};
  const Letters left = letters_of(a), right = letters_of(b);
  if (left.empty() || right.empty()) return {};
  if (folded(left) == folded(right)) return "in case";
  if (const auto form = difference_in_form(left, right)) {
    return concat("in Unicode form (", *form, ')');
  }
  if (difference_in_form(folded(left), folded(right))) return "in case and Unicode form";
  if (without_spaces(left) == without_spaces(right)) return "in spaces";
  if (without_spaces(folded(left)) == without_spaces(folded(right))) return "in case and spaces";
  return {};
}

}  // namespace millrace

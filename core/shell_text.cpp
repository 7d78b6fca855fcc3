#include <millrace/core/shell_text.h>

#include <millrace/core/shown_text.h>

#include <algorithm>

namespace millrace {
namespace {

/// No shell sees anything in it, wherever it stands in a word.
bool is_plain(char c) {
  constexpr std::string_view kMarks = "_-./:,+@%=";
  const auto byte = static_cast<unsigned char>(c);
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') || byte >= 0x80 ||
         kMarks.find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_quoted(std::string_view word) {
  const bool needs_escapes = shown(word) != word;
  if (!needs_escapes && !word.empty() && std::all_of(word.begin(), word.end(), is_plain)) {
    return std::string(word);
  }
  std::string text;
  for (const char c : word) {
    if (needs_escapes && (c == '\'' || c == '\\')) {
      text += '\\';
    } else if (c == '\'') {  // ends the quotes, stands for itself, and begins them again
      text += "'\\'";
    }
    text += c;
  }
  return needs_escapes ? "$'" + shown(text) + '\'' : '\'' + text + '\'';
}

}  // namespace millrace

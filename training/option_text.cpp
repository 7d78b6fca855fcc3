#include <millrace/training/option_text.h>

#include <millrace/core/lower_case.h>

#include <array>

namespace millrace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  if (text.empty()) return words;
  for (std::size_t begin = 0;;) {
    const std::size_t comma = text.find(',', begin);
    words.emplace_back(text.substr(begin, comma - begin));
    if (comma == std::string_view::npos) return words;
    begin = comma + 1;
  }
}

std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return text;
}

bool OptionText<bool>::read(std::string_view text) {
  const std::string word = lower_case(text);
  for (const char* yes : {"true", "yes", "on", "1"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "no", "off", "0"}) {
    if (word == no) return false;
  }
  throw BadOptionText("true or false");
}

Bytes OptionText<Bytes>::read(std::string_view text) {
  try {
    return parse_bytes(text);
  } catch (const UsageError&) {
    throw BadOptionText("a size such as 512MiB or 2GiB");
  }
}

std::string OptionText<Bytes>::write(Bytes value) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  std::uint64_t count = value.count;
  while (count > 0 && count % 1024 == 0 && unit + 1 < kUnits.size()) {
    count /= 1024;
    ++unit;
  }
  return std::to_string(count) + kUnits[unit];
}

}  // namespace millrace

#pragma once
// Lists in options: words or numbers with commas between them.

#include <millrace/core/error.h>
#include <millrace/training/option_text.h>

#include <charconv>
#include <string>
#include <vector>

namespace millrace::apps {

/// "0.5,2" as numbers. Throws UsageError that begins with `option`: a part is no such number.
template <class Number>
[[nodiscard]] std::vector<Number> numbers_of(const std::string& text, const std::string& option) {
  std::vector<Number> numbers;
  for (const std::string& word : words_of(text)) {
    Number number{};
    const char* const end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, number);
    if (read.ec != std::errc{} || read.ptr != end) {
      throw UsageError(concat(option, ": '", word, "' is no number of its kind"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace millrace::apps

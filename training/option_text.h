#pragma once
// The values of options as text, for the command line, recipes and config.ini:
// every type of field has one reader and one writer, and a written value reads back equal.

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace millrace {

/// A span of time, in seconds.
using Seconds = std::chrono::duration<double>;

/// What a value must be, for a message: "--epochs must be a whole number, not 'x'".
class BadOptionText : public UsageError {
 public:
  using UsageError::UsageError;
};

/// An enumeration that has words: `option_words(E{})`, found by its namespace or declared before
/// options are listed, gives each value's word. Of several words for a value the first is written.
template <class E>
struct OptionWord {
  E value;
  const char* word;
};

/// "a,b" as a and b; nothing for an empty text. What is between two commas may be empty.
[[nodiscard]] std::vector<std::string> words_of(std::string_view text);
/// Without blanks, tabs and carriage returns at its ends.
[[nodiscard]] std::string trimmed(const std::string& text);
/// "a, b or c".
[[nodiscard]] std::string listed(const std::vector<std::string>& words);

/// "5" of "+5", which std::from_chars() does not take.
[[nodiscard]] inline std::string_view without_plus(std::string_view text) {
  const bool has_plus = text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+';
  return has_plus ? text.substr(1) : text;
}

/// One type of field: read() throws BadOptionText, write() gives what read() takes.
template <class T>
struct OptionText;

template <>
struct OptionText<bool> {
  static bool read(std::string_view text);
  static std::string write(bool value) { return value ? "true" : "false"; }
};

template <>
struct OptionText<std::string> {
  static std::string read(std::string_view text) { return std::string(text); }
  static std::string write(const std::string& value) { return value; }
};

template <>
struct OptionText<std::filesystem::path> {
  static std::filesystem::path read(std::string_view text) { return std::string(text); }
  static std::string write(const std::filesystem::path& value) { return value.native(); }
};

template <>
struct OptionText<Bytes> {
  static Bytes read(std::string_view text);
  static std::string write(Bytes value);  ///< in the largest unit that is exact
};

template <std::integral T>
struct OptionText<T> {
  static T read(std::string_view text) {
    text = without_plus(text);
    const char* const end = text.data() + text.size();
    T value{};
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec == std::errc{} && read.ptr == end) return value;
    // What is a whole number all the same is too small or too large for the field.
    const bool is_negative = text.size() > 1 && text.front() == '-';
    const std::string_view digits = is_negative ? text.substr(1) : text;
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
      throw BadOptionText("a whole number");
    }
    throw BadOptionText(is_negative ? concat(std::numeric_limits<T>::min(), " or more")
                                    : concat("at most ", std::numeric_limits<T>::max()));
  }
  static std::string write(T value) { return std::to_string(value); }
};

template <std::floating_point T>
struct OptionText<T> {
  static T read(std::string_view text) {
    text = without_plus(text);
    const char* const end = text.data() + text.size();
    T value{};
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || !std::isfinite(value)) {
      throw BadOptionText("a finite number");
    }
    return value;
  }
  /// The shortest number that reads back equal.
  static std::string write(T value) {
    char digits[64];
    std::string text(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
    const std::size_t exponent = text.find('e');  // "1e-06" is 1e-6
    if (exponent != std::string::npos && text[exponent + 2] == '0') text.erase(exponent + 2, 1);
    return text;
  }
};

template <>
struct OptionText<Seconds> {
  static Seconds read(std::string_view text) { return Seconds(OptionText<double>::read(text)); }
  static std::string write(Seconds value) { return OptionText<double>::write(value.count()); }
};

/// "none" is no value, and neither is an empty text, except for a number.
template <class T>
struct OptionText<std::optional<T>> {
  static std::optional<T> read(std::string_view text) {
    if (text == "none" || (text.empty() && !std::is_arithmetic_v<T>)) return std::nullopt;
    return OptionText<T>::read(text);
  }
  static std::string write(const std::optional<T>& value) {
    return value ? OptionText<T>::write(*value) : std::string("none");
  }
};

/// With commas between them; "none" is an empty list.
template <class T>
struct OptionText<std::vector<T>> {
  static std::vector<T> read(std::string_view text) {
    std::vector<T> values;
    if (text == "none") return values;
    try {
      for (const std::string& word : words_of(text)) values.push_back(OptionText<T>::read(word));
    } catch (const BadOptionText& error) {
      throw BadOptionText(concat("a list with commas, each ", error.what()));
    }
    return values;
  }
  static std::string write(const std::vector<T>& values) {
    std::string text;
    for (const T& value : values) {
      if (!text.empty()) text += ',';
      text += OptionText<T>::write(value);
    }
    return text;
  }
};

template <class E>
requires std::is_enum_v<E>
struct OptionText<E> {
  static E read(std::string_view text) {
    std::vector<std::string> words;
    for (const OptionWord<E>& one : option_words(E{})) {
      if (text == one.word) return one.value;
      words.emplace_back(one.word);
    }
    throw BadOptionText(listed(words));
  }
  static std::string write(E value) {
    for (const OptionWord<E>& one : option_words(E{})) {
      if (one.value == value) return one.word;
    }
    return {};
  }
};

}  // namespace millrace

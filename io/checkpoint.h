#pragma once
// The state of a run in one file, so that a killed run can resume: small values and large arrays by
// name. A valid safetensors file whose last tensor is a checksum of all bytes before it; written
// under another name and renamed, so a crash leaves the old file or the new one. Folders:
// checkpoint_folder.h.

#include <millrace/core/error.h>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace millrace {

/// What is needed to continue. Names are UTF-8; values too.
///
///   Checkpoint state;
///   state.set("step", step);
///   state.arrays["parameters"] = executor.read(...);
///   write_checkpoint("run/last.ckpt", state);
///
/// Thread safety: that of the maps it is made of.
struct Checkpoint {
  std::map<std::string, std::string> values{};
  std::map<std::string, std::vector<float>> arrays{};
  std::string source{};  ///< the file that it was read from, for errors; not stored

  template <class Number>
  requires std::is_arithmetic_v<Number>
  void set(const std::string& key, Number value) { values[key] = text_of(value); }
  void set(const std::string& key, std::string_view text) { values[key] = text; }

  /// Numbers come back exactly, doubles to the bit (every NaN as the usual one). Throws Error
  /// naming the key: it is missing, or not a value of this type.
  template <class T>
  [[nodiscard]] T get(const std::string& key) const {
    if constexpr (std::same_as<T, std::string>) {
      return value(key);
    } else {
      return number<T>(key);
    }
  }
  /// Whether there is such a value: older programs did not write all that later ones do.
  [[nodiscard]] bool has(const std::string& key) const { return values.count(key) > 0; }
  /// Throws Error naming the array: it is missing or has not `size` elements.
  [[nodiscard]] const std::vector<float>& array(const std::string& name, std::size_t size) const;

 private:
  template <class Number>
  static std::string text_of(Number number);
  template <class Number>
  [[nodiscard]] Number number(const std::string& key) const;
  [[nodiscard]] const std::string& value(const std::string& key) const;
  [[noreturn]] void fail(const std::string& what) const;
};

/// Writes the file atomically and flushes it and its folder to the disk. Nothing is copied: memory
/// is that of the header. Throws Error (disk; what was there before stays), UsageError for a name
/// or value that is not UTF-8. The names "format" (of a value) and "checksum" (of an array) are
/// taken. Thread-safe.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Reads the file in one pass. Nothing in it is believed: sizes are checked against the file before
/// memory is taken, and any change of a bit or of the length is an Error that names the file and
/// what is wrong. Thread-safe.
[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path);

/// The same file, checked to its last bit like that, but its arrays are left empty: no memory is
/// taken for what is in them.
[[nodiscard]] Checkpoint read_checkpoint_values(const std::filesystem::path& path);

template <class Number>
std::string Checkpoint::text_of(Number number) {
  if constexpr (std::same_as<Number, bool>) {
    return number ? "true" : "false";
  } else {
    char text[32];  // 24 are enough for a double in its shortest exact form
    return {text, std::to_chars(text, text + sizeof(text), number).ptr};
  }
}

template <class Number>
Number Checkpoint::number(const std::string& key) const {
  const std::string& text = value(key);
  if constexpr (std::same_as<Number, bool>) {
    if (text == "true" || text == "false") return text == "true";
  } else {
    Number result{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, result);
    if (error == std::errc{} && stop == end) return result;
  }
  fail(concat("'", key, "' is '", text, "', which is no value of its type"));
}

}  // namespace millrace

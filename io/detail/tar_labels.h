#pragma once
// What the label members of tar shards say.

#include <millrace/io/files.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

/// A class from a label member.
struct TarLabel {
  bool is_number = false;
  std::int32_t number = 0;
  std::string name{};     ///< if it is no number
  std::string problem{};  ///< why there is no class; empty: there is one

  [[nodiscard]] bool is_class() const noexcept { return problem.empty(); }
};

/// Of a text, NAME.cls: a whole number from 0 on, or a name on one line; blanks around it and a
/// byte order mark do not count.
[[nodiscard]] TarLabel label_in_text(std::string_view text);
/// Of NAME.json: an object's member "cls" or else "label", a number or a string as above; nothing
/// where there is neither, so that the text holds other things.
[[nodiscard]] std::optional<TarLabel> label_in_json(std::string_view text);

/// Gives names to classes that are numbers, from beside their shards.
inline constexpr const char* kClassNamesFile = "classnames.txt";

/// The names in such a file, a line each.
[[nodiscard]] std::vector<std::string> class_names_in(const std::filesystem::path& file);

}  // namespace millrace::detail

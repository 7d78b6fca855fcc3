#pragma once
// Files of their own and within others, read alike.

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/decode.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace millrace::detail {

/// For messages.
[[nodiscard]] std::string_view name_of(const std::filesystem::path& path);
[[nodiscard]] std::string_view name_of(const FilePart& part);

/// Runs `body` and puts the name of the file in front of what goes wrong.
template <class Body>
auto naming(std::string_view name, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(concat(name, ": ", error.what()));
  }
}

/// As read_file_into().
void read_into(const std::filesystem::path& path, std::vector<std::byte>& buffer, Bytes most);
void read_into(const FilePart& part, std::vector<std::byte>& buffer, Bytes most);

/// As read_start() of files.h; of a part it throws.
[[nodiscard]] std::size_t read_start_of(const std::filesystem::path& path,
                                        std::span<std::byte> into, std::error_code& error);
[[nodiscard]] std::size_t read_start_of(const FilePart& part, std::span<std::byte> into,
                                        std::error_code& error);

}  // namespace millrace::detail

#include <millrace/io/detail/encoded_file.h>

#include <millrace/io/files.h>

#include <algorithm>

namespace millrace::detail {

std::string_view name_of(const std::filesystem::path& path) {
  return path.native();
}

std::string_view name_of(const FilePart& part) {
  return part.name;
}

void read_into(const std::filesystem::path& path, std::vector<std::byte>& buffer, Bytes most) {
  read_file_into(path, buffer, most);
}

void read_into(const FilePart& part, std::vector<std::byte>& buffer, Bytes most) {
  const Bytes length{part.length};
  if (length > most) {
    throw FileTooLong(
        concat(part.name, ": is ", length, " long, more than the ", most, " that a file may be"),
        length);
  }
  buffer.resize(static_cast<std::size_t>(part.length));
  part.in.read_at(part.offset, buffer);
}

std::size_t read_start_of(const std::filesystem::path& path, std::span<std::byte> into,
                          std::error_code& error) {
  return read_start(path, into, error);
}

std::size_t read_start_of(const FilePart& part, std::span<std::byte> into, std::error_code&) {
  const auto start = into.first(std::min<std::uint64_t>(part.length, into.size()));
  part.in.read_at(part.offset, start);
  return start.size();
}

}  // namespace millrace::detail

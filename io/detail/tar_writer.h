#pragma once
// Tar archives of plain files, in the format ustar, with nothing in them of when and by whom.

#include <millrace/io/files.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::detail {

/// Writes one archive, from the first member to the end mark.
class TarWriter {
 public:
  /// Throws Error naming the file, as the other members do.
  explicit TarWriter(std::filesystem::path path) : file_(std::move(path)) {}

  /// Requires: a name of at most 100 bytes, less than 8 GiB.
  void add(std::string_view name, std::span<const std::byte> content);
  /// Writes the end mark and what is left to write. Nothing is added after it.
  void finish();

  /// What a member of this length takes.
  [[nodiscard]] static std::uint64_t bytes_of(std::uint64_t length) noexcept;
  /// What an archive takes whose members take so much: with its end mark, and filled up to records
  /// of 10 KiB, as other programs do.
  [[nodiscard]] static std::uint64_t archive_bytes(std::uint64_t members) noexcept;

 private:
  void append(std::string_view bytes);
  void pad(std::size_t block);

  AppendFile file_;
  std::string buffer_;      // what comes next in the file
  std::uint64_t size_ = 0;  // of the archive
};

}  // namespace millrace::detail

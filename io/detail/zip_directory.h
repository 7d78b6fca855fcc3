#pragma once
// The list of what is in a zip archive, with those members that are not compressed: .pth files and
// .keras files have no others. Format: PKWARE's APPNOTE, sections 4.3 and 4.5.3 (zip64).

#include <millrace/io/files.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

struct ZipMember {
  std::string name;
  std::uint64_t header = 0;  ///< where its own header is in the file
  std::uint64_t size = 0;    ///< of its content
  std::uint64_t packed = 0;  ///< of its content in the file
  std::uint32_t crc = 0;     ///< CRC-32 of the content
  std::uint16_t method = 0;  ///< 0: as it is
  bool is_encrypted = false;
};

/// Nothing that the archive says is trusted. Thread safety: constant after construction.
class ZipDirectory {
 public:
  /// Throws Error, without the name of the file: it ends early, is damaged, is a part of an
  /// archive of several files, or names a member twice. The file must live as long.
  explicit ZipDirectory(const RandomAccessFile& file);

  [[nodiscard]] const std::vector<ZipMember>& members() const noexcept { return members_; }
  /// nullptr if there is none of this name.
  [[nodiscard]] const ZipMember* find(std::string_view name) const noexcept;
  /// Where the content of a member begins, which lies in the file whole. Throws Error, without the
  /// name of the file: it is compressed or encrypted, or not where the directory says.
  [[nodiscard]] std::uint64_t content(const ZipMember& member) const;

 private:
  const RandomAccessFile& file_;
  std::uint64_t end_ = 0;           // of the members; the directory follows
  std::vector<ZipMember> members_;  // by name
};

}  // namespace millrace::detail

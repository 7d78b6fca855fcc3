#pragma once
// The list of what is in a zip archive, with those members that are not compressed: .pth files and
// .keras files have no others. Format: PKWARE's APPNOTE, sections 4.3 and 4.5.3 (zip64).

#include <millrace/io/files.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

struct ZipMember {
  std::string name;
  std::uint64_t header = 0;  ///< where its own header is in the file
  std::uint64_t size = 0;    ///< of its content
  std::uint64_t packed = 0;  ///< of its content in the file
  std::uint32_t crc = 0;     ///< CRC-32 of the content, or 0 (has_checksum())
  std::uint16_t method = 0;  ///< 0: as it is
  bool is_encrypted = false;
};

/// Whether a part of a file has this CRC-32. Any has 0: PyTorch writes that where it is asked to
/// compute none (torch.serialization.set_crc32_options(False)). `also` is called with all of the
/// part, a piece at a time.
[[nodiscard]] bool has_checksum(const RandomAccessFile& file, std::uint64_t begin,
                                std::uint64_t bytes, std::uint32_t crc,
                                const std::function<void(std::span<const std::byte>)>& also = {});

/// Nothing that the archive says is trusted. Thread safety: constant after construction.
class ZipDirectory {
 public:
  /// Throws Error, without the name of the file: it ends early, is damaged, is a part of an
  /// archive of several files, names a member twice, or has a directory of more than 64 MiB: no
  /// weights have as many members. The file must live as long.
  explicit ZipDirectory(const RandomAccessFile& file);

  [[nodiscard]] const std::vector<ZipMember>& members() const noexcept { return members_; }
  /// nullptr if there is none of this name.
  [[nodiscard]] const ZipMember* find(std::string_view name) const noexcept;
  /// Where the content of a member begins, which lies in the file whole. Throws Error, without the
  /// name of the file: it is compressed or encrypted, or not where the directory says.
  [[nodiscard]] std::uint64_t content(const ZipMember& member) const;
  /// The same for what is read whole: also if its checksum is another, or it is larger than
  /// kMostDescribed.
  [[nodiscard]] std::uint64_t checked_content(const ZipMember& member) const;

  /// Of a description: a list of tensors, a model as JSON, the directory itself.
  static constexpr std::uint64_t kMostDescribed = 64 << 20;

 private:
  const RandomAccessFile& file_;
  std::uint64_t end_ = 0;           // of the members; the directory follows
  std::vector<ZipMember> members_;  // by name
};

}  // namespace millrace::detail

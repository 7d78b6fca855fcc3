#pragma once
// The headers of a tar archive, one after the other, by libarchive: old tar, ustar, GNU and pax.

#include <millrace/io/files.h>

#include <cstdint>
#include <memory>
#include <string>

namespace millrace::detail {

/// A member of an archive.
struct TarMember {
  enum Kind : std::uint8_t { file, link, sparse, other } kind = file;
  std::string name;                      ///< its bytes as they are stored; folders are passed over
  std::uint64_t offset = 0, length = 0;  ///< of a file's content, in the archive's file
};

/// Goes through an archive that is a part of a file. Nothing is read of contents, and nothing in a
/// header is trusted: a member that does not fit into the file is an error.
class TarReader {
 public:
  /// `name` begins messages; both outlive this. Throws Error if it is no tar archive.
  TarReader(const RandomAccessFile& file, std::uint64_t begin, std::uint64_t end,
            const std::string& name);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// The next member; false at the end. Archives that were appended to each other are one. Throws
  /// Error for a damaged header, a member that is cut off, an end without an end mark.
  [[nodiscard]] bool next(TarMember& member);

 private:
  struct Archive;
  std::unique_ptr<Archive> archive_;
};

/// What a file is compressed with, by its first bytes.
enum class Compression : std::uint8_t { none, gzip, other };
/// Throws Error if the file cannot be read. `program` is what unpacks the others.
[[nodiscard]] Compression compression_of(const RandomAccessFile& file, const char*& program);

}  // namespace millrace::detail

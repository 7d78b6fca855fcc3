#pragma once
// Compressed archives, whole, by zlib.

#include <millrace/io/files.h>
#include <millrace/io/watch.h>

#include <cstdint>
#include <memory>
#include <string>

namespace millrace::detail {

/// There is no room for what is unpacked.
class NoRoom : public Error {
 public:
  using Error::Error;
};

/// A file for what the shard `name` holds. Throws NoRoom.
[[nodiscard]] std::shared_ptr<TemporaryFile> make_temporary(const std::string& name);

/// How much of a compressed file is as it was packed.
struct Unpacked {
  std::uint64_t sound_end = 0;  ///< of that in the file which it was unpacked into
  std::string damage{};         ///< why that is not all, after the file's path; empty: it is
};

/// Appends what a gzip file holds to `into`, of all its members, and compares their checksums and
/// lengths. What ends early is taken as far as it goes. Of a member that is damaged nothing is,
/// since it is unknown where the damage begins. Throws Error if the file cannot be read; NoRoom;
/// Stopped.
[[nodiscard]] Unpacked unpack_gzip(const RandomAccessFile& file, TemporaryFile& into,
                                   const Watch& watch);

}  // namespace millrace::detail

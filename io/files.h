#pragma once
// Files as the rest of io/ uses them: read whole, or written so that a crash leaves either the old
// file or the new one and never a part. Every error names the path and the system's reason.

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace millrace {

/// A file is longer than it may be.
class FileTooLong : public Error {
 public:
  FileTooLong(const std::string& what, Bytes length) : Error(what), length_(length) {}
  [[nodiscard]] Bytes length() const noexcept { return length_; }  ///< 0: it has none, as a pipe

 private:
  Bytes length_;
};

/// Reads a whole file. `buffer` is resized to its length; its memory is reused. Throws Error when
/// the file is missing, unreadable, a directory or a device. A file larger than `most` is refused
/// before it is read (FileTooLong), a pipe once it has given more. A pipe that nobody writes to is
/// empty.
void read_file_into(const std::filesystem::path& path, std::vector<std::byte>& buffer,
                    Bytes most = Bytes{std::numeric_limits<std::uint64_t>::max()});
[[nodiscard]] std::vector<std::byte> read_file(const std::filesystem::path& path);

/// Reads the first bytes of a file and says how many there were, with an error none.
[[nodiscard]] std::size_t read_start(const std::filesystem::path& path, std::span<std::byte> into,
                                     std::error_code& error);

/// Writes a whole file, replacing what is there. Not atomic; AtomicFile is.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

/// A file of which parts are read on demand. Reading is thread-safe.
class RandomAccessFile {
 public:
  /// Throws Error as read_file_into().
  explicit RandomAccessFile(std::filesystem::path path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }  ///< when it was opened
  /// Fills `into` from `offset` on. Throws Error if the file ends before.
  void read_at(std::uint64_t offset, std::span<std::byte> into) const;

 protected:
  /// Takes over an open file.
  RandomAccessFile(std::filesystem::path path, int descriptor) noexcept
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// Where large temporary files go: the folder that TMPDIR names, else /var/tmp, since /tmp is memory
/// on many machines, or /tmp where that is all there is.
[[nodiscard]] std::filesystem::path temporary_folder();

/// A file without a name in temporary_folder(). It is gone with this object, and with the program
/// however that ends.
///
/// Thread safety: none for append(); reading is thread-safe while nobody appends.
class TemporaryFile final : public RandomAccessFile {
 public:
  /// Throws Error naming the folder, which path() is, and TMPDIR.
  TemporaryFile();
  /// Whether it takes memory and no disk.
  [[nodiscard]] bool is_in_memory() const;
  /// Throws Error (a full disk, a limit).
  void append(std::span<const std::byte> bytes);
};

/// Makes the directory and those above it; fine if it is there. Throws Error, naming the one that
/// could not be made, for lack of permission or because a file stands in the way.
void create_folders(const std::filesystem::path& path);

/// A new file that grows by whole pieces, each seen by readers at once. If a piece cannot be
/// written, the file keeps the pieces before it and nothing of that one.
///
/// Thread safety: none.
class AppendFile {
 public:
  /// Creates the file. Throws Error naming it: it is there already, or cannot be made.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Throws Error (a full disk, a limit).
  void append(std::string_view piece);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// Makes the names in a directory durable. Some file systems cannot do that: no harm, no error.
void flush_folder(const std::filesystem::path& folder) noexcept;

/// Makes all that was written to the file system of a folder durable, where it can.
void flush_file_system(const std::filesystem::path& folder) noexcept;

/// A file that appears under its name when it is complete. It is written in the same directory
/// under a temporary, hidden name; commit() flushes it to the disk and renames it. Destroyed
/// without commit(), it leaves no file.
///
/// Thread safety: none for one object; different objects are independent, also for the same target,
/// where the last commit wins.
///
///   AtomicFile file("run/metrics.csv");
///   file.write("epoch,loss\n");
///   file.commit();
class AtomicFile {
 public:
  /// Creates the temporary file. Throws Error naming `target`.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends, unbuffered: best in large pieces. Throws Error (a full disk, a limit).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  /// Makes the file durable and gives it its name. Requires: not committed before.
  void commit();

 private:
  void discard() noexcept;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

}  // namespace millrace

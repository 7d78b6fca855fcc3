#pragma once
// A part of a file as libarchive reads it.

#include <millrace/io/files.h>

#include <archive.h>

#include <cerrno>
#include <clocale>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

namespace millrace::detail {

/// Hands libarchive the bytes of a part of a file. Errors do not cross its C code: they are kept.
class ArchiveInput {
 public:
  ArchiveInput(const RandomAccessFile& file, std::uint64_t begin, std::uint64_t end)
      : file_(file), at_(begin), end_(end), buffer_(kPiece), archive_(::archive_read_new()) {
    if (archive_ == nullptr) throw std::bad_alloc();
  }
  ~ArchiveInput() { ::archive_read_free(archive_); }
  ArchiveInput(const ArchiveInput&) = delete;
  ArchiveInput& operator=(const ArchiveInput&) = delete;

  [[nodiscard]] ::archive* get() const noexcept { return archive_; }
  /// To be called once formats and filters are chosen; libarchive's status.
  [[nodiscard]] int open() {
    return ::archive_read_open2(archive_, this, nullptr, read, skip, nullptr);
  }
  /// What went wrong last, in the words of the system or of libarchive.
  [[nodiscard]] std::string problem() const {
    if (!problem_.empty()) return problem_;
    const char* const text = ::archive_error_string(archive_);
    return text == nullptr ? "damaged" : text;
  }

 private:
  static constexpr std::size_t kPiece = 1 << 16;

  static la_ssize_t read(::archive* archive, void* self, const void** buffer) {
    auto& input = *static_cast<ArchiveInput*>(self);
    const std::size_t n = std::min<std::uint64_t>(kPiece, input.end_ - input.at_);
    try {
      input.file_.read_at(input.at_, std::span(input.buffer_).first(n));
    } catch (const Error& error) {
      input.problem_ = error.what();
      ::archive_set_error(archive, EIO, "cannot be read");
      return -1;
    }
    input.at_ += n;
    *buffer = input.buffer_.data();
    return static_cast<la_ssize_t>(n);
  }
  static la_int64_t skip(::archive*, void* self, la_int64_t wanted) {
    auto& input = *static_cast<ArchiveInput*>(self);
    const std::uint64_t n = std::min(static_cast<std::uint64_t>(wanted), input.end_ - input.at_);
    input.at_ += n;
    return static_cast<la_int64_t>(n);
  }

  const RandomAccessFile& file_;
  std::uint64_t at_, end_;
  std::vector<std::byte> buffer_;
  std::string problem_;
  ::archive* archive_;
};

}  // namespace millrace::detail

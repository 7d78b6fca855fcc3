#pragma once
// A part of a file that is read from its front, through a buffer. Lengths that the file claims are
// compared with what is left of it before memory is taken.

#include <millrace/io/detail/unread.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace millrace::detail {

/// Thread safety: none; the file must live as long.
class FileInput {
 public:
  /// The bytes [begin, end), which are in the file.
  FileInput(const RandomAccessFile& file, std::uint64_t begin, std::uint64_t end)
      : file_(file), next_(begin), end_(end) {}

  /// Where in the file the next byte is.
  [[nodiscard]] std::uint64_t at() const noexcept { return next_ - (filled_ - used_); }
  [[nodiscard]] std::uint64_t left() const noexcept { return end_ - at(); }

  /// Throw Error if the part ends before.
  std::uint8_t byte() {
    if (used_ == filled_) fill();
    return buffer_[used_++];
  }
  /// Little-endian, of at most eight bytes.
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{byte()} << (8 * i);
    return value;
  }
  std::string text(std::uint64_t length) {
    if (length > left()) ends_early();
    std::string result;
    result.reserve(static_cast<std::size_t>(length));
    while (result.size() < length) {
      if (used_ == filled_) fill();
      const std::size_t n =
          std::min(filled_ - used_, static_cast<std::size_t>(length) - result.size());
      result.append(reinterpret_cast<const char*>(buffer_.data() + used_), n);
      used_ += n;
    }
    return result;
  }

 private:
  void fill() {
    const std::size_t n = std::min<std::uint64_t>(buffer_.size(), end_ - next_);
    if (n == 0) ends_early();
    file_.read_at(next_, std::as_writable_bytes(std::span(buffer_.data(), n)));
    next_ += n;
    filled_ = n;
    used_ = 0;
  }

  const RandomAccessFile& file_;
  std::uint64_t next_, end_;
  std::array<std::uint8_t, 1 << 14> buffer_{};
  std::size_t used_ = 0, filled_ = 0;
};

}  // namespace millrace::detail

#pragma once
// libtiff over a file in memory, with C++ exceptions: its messages go only to the handle that they
// are about, never to stderr.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

struct tiff;  // libtiff's handle

namespace millrace::detail {

class TiffFile {
 public:
  /// Reads the first directory. No allocation of libtiff's is larger than `max_bytes`. `file` must
  /// live as long. Throws Error.
  TiffFile(std::span<const std::byte> file, std::size_t max_bytes);

  [[nodiscard]] tiff* get() const noexcept { return handle_.get(); }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return source_->file; }

  /// The value of a tag, or the format's default for it.
  [[nodiscard]] std::uint16_t small(std::uint32_t tag) const;
  [[nodiscard]] std::uint32_t number(std::uint32_t tag) const;

  /// What is written in the file for a tag of one number of up to 32 bits, which libtiff puts right
  /// without a word where it makes no sense; of several numbers, the first or where they are.
  [[nodiscard]] std::optional<std::uint32_t> stored(std::uint32_t tag) const;

  /// Throws Error if libtiff has found a fault, also if it continued with invented pixels.
  void check() const;
  /// Throws Error with what libtiff has said.
  [[noreturn]] void fail() const;

  // What libtiff calls; defined in the source file.
  struct Source {
    std::span<const std::byte> file;
    std::uint64_t position = 0;
    bool has_ended_early = false;  // it was asked for more than there is
    bool has_failed = false;
    std::array<char, 200> message{};  // the first error
  };

 private:
  struct Close {
    void operator()(tiff* handle) const noexcept;
  };
  std::size_t max_bytes_;
  std::unique_ptr<Source> source_;  // libtiff keeps its address
  std::unique_ptr<tiff, Close> handle_;
};

}  // namespace millrace::detail

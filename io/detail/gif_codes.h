#pragma once
// Expands the codes of a GIF's data (LZW). giflib can do that too, but accepts codes that
// are not in the table yet, with arbitrary results, and refuses those that begin with 9 bits or
// more.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

class GifCodes {
 public:
  /// Of an index, in bits: 8 are of use, and some writers have more.
  static constexpr int kMostBits = 11;

  /// Requires: 0 <= bits <= kMostBits.
  explicit GifCodes(int bits);

  /// Of the code that comes next, in bits.
  [[nodiscard]] int width() const noexcept { return width_; }
  [[nodiscard]] bool is_end(int code) const noexcept { return code == clear_ + 1; }

  /// The indices that a code stands for, until the next call; none for the code that clears the
  /// table. Throws Error for a code that cannot be. Requires: not the end code.
  [[nodiscard]] std::span<const std::uint8_t> expand(int code);

 private:
  static constexpr int kMostCodes = 4096;  // of 12 bits

  // An older string and one index more.
  struct Entry {
    std::uint16_t older = 0, length = 0;
    std::uint8_t first = 0, last = 0;
  };
  [[nodiscard]] Entry& at(int code) { return entries_[static_cast<std::size_t>(code)]; }
  void clear() noexcept;
  void add(int first_of);

  int bits_;
  int clear_;  // the code that clears; the end code is one more
  int width_ = 0;
  int next_ = 0;    // the code that will get a string
  int before_ = 0;  // the code before; -1 after the table was cleared
  std::array<Entry, kMostCodes> entries_{};
  std::array<std::uint8_t, kMostCodes> text_{};
};

}  // namespace millrace::detail

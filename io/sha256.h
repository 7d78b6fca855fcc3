#pragma once
// SHA-256 (FIPS 180-4), by which published files are known.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace millrace {

/// A hash that grows by pieces.
///
/// Thread safety: none.
class Sha256 {
 public:
  void append(std::span<const std::byte> bytes);
  /// Of all that was appended: 64 hexadecimal digits in lower case. Ends the hash.
  [[nodiscard]] std::string hex() &&;

 private:
  void take_block(const std::uint8_t* block) noexcept;

  std::array<std::uint32_t, 8> state_{0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  std::array<std::uint8_t, 64> block_{};
  std::size_t filled_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Of a whole file. Throws Error naming it.
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace millrace

#pragma once
// libdeflate: the data of PNG files, whole in memory.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace millrace::detail {

/// What a compressed block is wrapped in.
enum class Wrapping : std::uint8_t { none, zlib };

struct Inflated {
  std::size_t bytes = 0;
  bool is_whole = false;  ///< false: `into` is too small
};

/// Decompresses `block` into `into`; bytes behind the block's end are passed over. Nothing if the
/// data are damaged, end early or have another checksum. Thread-safe; keeps 12 KiB a thread, and
/// throws std::bad_alloc if they cannot be had.
[[nodiscard]] std::optional<Inflated> inflate(std::span<const std::byte> block, Wrapping wrapping,
                                              std::span<std::byte> into);

/// CRC-32 as PNG and gzip have it.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes) noexcept;

}  // namespace millrace::detail

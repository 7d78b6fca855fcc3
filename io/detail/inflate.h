#pragma once
// libdeflate: the data of PNG files, whole in memory.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

/// What a compressed block is wrapped in.
enum class Wrapping : std::uint8_t { none, zlib };

enum class Inflated : std::uint8_t { whole, more_than_fits, damaged, no_memory };

/// Decompresses `block` into `into` and, if it is complete, sets the number of `bytes`; data
/// after the block's end are ignored. Damaged: also a block that ends early or has another
/// checksum. Thread-safe; keeps 12 KiB a thread.
[[nodiscard]] Inflated inflate(std::span<const std::byte> block, Wrapping wrapping,
                               std::span<std::byte> into, std::size_t& bytes) noexcept;

/// CRC-32 as PNG and gzip have it.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes) noexcept;

}  // namespace millrace::detail

#pragma once
// Some of libtiff's decoders take as much memory as their data demand, up to 4 GiB for a strip of a
// few bytes, and have no suitable bound. So the data are inspected first.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

/// What the data of a strip or tile demand: the dictionary of LZMA and Zstandard, all coefficients
/// of a JPEG of several scans; 0 for other compressions. Data that cannot be are looked into as far
/// as a decoder would get. Throws Error.
[[nodiscard]] std::uint64_t demanded_bytes(std::uint16_t compression,
                                           std::span<const std::byte> block);

}  // namespace millrace::detail

#pragma once
// Two of libtiff's decoders take as much memory as their data demand, up to 4 GiB for a strip of a
// few bytes, and know no bound. So the data are looked into before.

#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::detail {

/// The largest dictionary that a strip or tile demands; 0 for compressions that have none. Data
/// that cannot be are looked into as far as a decoder would get. Throws Error.
[[nodiscard]] std::uint64_t dictionary_bytes(std::uint16_t compression,
                                             std::span<const std::byte> block);

}  // namespace millrace::detail

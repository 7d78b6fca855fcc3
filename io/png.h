#pragma once
// Writes PNG: lossless pixels for data sets and for viewing.

#include <millrace/image/image.h>

#include <cstddef>
#include <vector>

namespace millrace {

/// The bytes of a PNG file of an image of 1 (grey), 2 (with alpha), 3 (RGB) or 4 channels. The same
/// image gives the same bytes. Throws Error if memory is short. Thread-safe.
[[nodiscard]] std::vector<std::byte> encode_png(ConstImageView image);

}  // namespace millrace

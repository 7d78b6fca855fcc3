#pragma once
// Images that are read whole: those of every format but JPEG, which streams its rows. Each format
// has a file with a header function and a decode function; raster_readers.cpp lists them.

#include <millrace/core/error.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace millrace::detail {

/// What becomes of transparency. Grey or RGB with a declared channel of alpha keeps it in either
/// case, but for masks of BMP.
enum class Transparency : std::uint8_t {
  dropped,  ///< the colours alone, as of Pillow's convert("RGB"); the cheapest
  /// Channels 2 or 4 wherever alpha may be other than 255 in Pillow's convert("RGBA"), and so also
  /// of palettes and of colours that are said to be transparent.
  kept,
};

struct RasterHeader {
  int height = 0;
  int width = 0;
  int channels = 0;  ///< 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha, straight
};

struct Raster {
  RasterHeader header;
  std::unique_ptr<std::uint8_t, void (*)(std::uint8_t*)> pixels;  ///< [height][width][channels]
};

/// Of the pixels.
[[nodiscard]] std::size_t raster_bytes(const RasterHeader& header) noexcept;

/// Decoding takes more memory than it may; with more it can be tried again.
class TooLittleMemory : public Error {
 public:
  using Error::Error;
};

/// Throws TooLittleMemory if decoding takes more than it may.
void check_raster_bytes(std::uint64_t bytes, std::size_t max_bytes);
/// Throws it if the amount is unknown.
[[noreturn]] void refuse_raster_bytes(std::size_t max_bytes);

/// Zeroed memory for the pixels of an image. Throws TooLittleMemory if that is more than
/// `max_bytes`, std::bad_alloc.
[[nodiscard]] Raster new_raster(const RasterHeader& header, std::size_t max_bytes);

}  // namespace millrace::detail

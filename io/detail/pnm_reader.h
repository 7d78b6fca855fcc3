#pragma once
// PBM, PGM and PPM files, plain (P1 to P3) and raw (P4 to P6), of any maximum: the format's text as
// Pillow reads it, but that samples of more than 8 bits are scaled where Pillow clips grey ones.

#include <millrace/io/detail/raster.h>

#include <cstddef>
#include <span>

namespace millrace::detail {

/// Whether the file begins as one of the six kinds does.
[[nodiscard]] bool is_pnm(std::span<const std::byte> file) noexcept;

/// Reads the header only. Throws Error without the file's name.
[[nodiscard]] RasterHeader pnm_header(std::span<const std::byte> file);

/// Each sample is value / maximum * 255, rounded to nearest; a raw one above the maximum is 255, a
/// plain one an error. Throws Error, std::bad_alloc.
[[nodiscard]] Raster pnm_decode(std::span<const std::byte> file, std::size_t max_bytes);

}  // namespace millrace::detail

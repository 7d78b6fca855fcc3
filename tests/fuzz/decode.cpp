#include "fuzz/harnesses.h"

#include <millrace/io/decode.h>
#include <millrace/io/detail/memory_sanitizer.h>
#include <millrace/io/detail/raster.h>

#include <array>

namespace millrace::test {
namespace {

// All pixels must have been written. Asked of the reader's, because MemorySanitizer loses sight of
// them in arithmetic with shifts: a sum of what was never written counts as written above its bits.
// JPEG, TIFF and WebP are decoded by libraries that it has not compiled.
void decode_under_memory_sanitizer(Input file) {
  using detail::Format;
  survive([&] {
    const Format format = detail::sniff(file);
    if (format == Format::jpeg || format == Format::tiff || format == Format::webp) return;
    (void)detail::raster_header(format, file);
    const detail::Raster raster = detail::decode_raster(format, file, 1U << 20);
    detail::must_be_written(raster.pixels.get(), detail::raster_bytes(raster.header));
  });
}

}  // namespace

void fuzz_decode(Input input) {
  constexpr int kSide = 7;
  const std::vector<std::byte> file = with_png_checksums(input);
  if (detail::kHasMemorySanitizer) return decode_under_memory_sanitizer(file);
  std::array<std::uint8_t, kSide * kSide * 3> pixels{};
  Decoder decoder({.max_pixels = 100'000, .max_scratch = Bytes{1U << 20}});
  survive([&] { (void)image_info(file, "input"); });
  for (const int channels : {1, 3}) {
    survive([&] {
      decoder.decode(file, "input", {pixels.data(), kSide, kSide, channels}, Filter::bilinear);
    });
  }
}

}  // namespace millrace::test

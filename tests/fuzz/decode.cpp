#include "fuzz/harnesses.h"

#include <millrace/io/decode.h>
#include <millrace/io/detail/memory_sanitizer.h>
#include <millrace/io/detail/raster_readers.h>

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
    for (const auto transparency : {detail::Transparency::dropped, detail::Transparency::kept}) {
      const detail::Raster raster = detail::decode_raster(format, file, 1U << 20, transparency);
      detail::must_be_written(raster.pixels.get(), detail::raster_bytes(raster.header));
    }
  });
}

}  // namespace

void fuzz_decode(Input input) {
  constexpr int kSide = 7;
  const std::vector<std::byte> file = with_png_checksums(input);
  if (detail::kHasMemorySanitizer) return decode_under_memory_sanitizer(file);
  std::array<std::uint8_t, kSide * kSide * 3> pixels{};
  Decoder plain({.max_pixels = 100'000, .max_scratch = Bytes{1U << 20}});
  Decoder seen({.max_pixels = 100'000,
                .max_scratch = Bytes{1U << 14},
                .large = std::make_shared<LargeImages>(Bytes{1U << 20}, Bytes{1U << 20}),
                .exif_orientation = true,
                .background = Colour{1, 2, 3},
                .large_jpeg = 1000});
  survive([&] { (void)image_info(file, "input"); });
  for (const int channels : {1, 3}) {
    const ImageView target(pixels.data(), kSide, kSide, channels);
    survive([&] { plain.decode(file, "input", target, Filter::bilinear); });
    survive([&] { seen.decode(file, "input", target, Filter::bilinear); });
  }
}

}  // namespace millrace::test

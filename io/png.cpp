// Compiled without warnings: this file instantiates stb_image_write, which is not written for ours.
#include <millrace/io/png.h>

#include <zlib.h>
#include <climits>
#include <cstdlib>
#include <memory>

namespace {

// stb_image_write brings its own deflate and CRC; zlib's are smaller, respectively faster.
unsigned char* zlib_compress(unsigned char* data, int size, int* out_size, int level) {
  uLongf n = compressBound(static_cast<uLong>(size));
  auto* const out = static_cast<unsigned char*>(std::malloc(n));
  if (out == nullptr) return nullptr;
  if (compress2(out, &n, data, static_cast<uLong>(size), level) != Z_OK) {
    std::free(out);
    return nullptr;
  }
  *out_size = static_cast<int>(n);
  return out;
}

unsigned int zlib_crc(unsigned char* data, int size) {
  return static_cast<unsigned int>(::crc32(0, data, static_cast<uInt>(size)));
}

}  // namespace

#define STBIW_ZLIB_COMPRESS zlib_compress
#define STBIW_CRC32 zlib_crc
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

namespace millrace {

std::vector<std::byte> encode_png(ConstImageView image) {
  MILLRACE_CHECK(image.channels <= 4 && image.width > 0 && image.height > 0, "no PNG has ",
                 image.height, "x", image.width, "x", image.channels);
  // stb_image_write counts in int.
  if (image.row_bytes() + 1 > static_cast<std::size_t>(INT_MAX / 2 / image.height) ||
      image.stride > INT_MAX) {
    throw Error(concat("an image of ", image.height, "x", image.width, " is too large for PNG"));
  }
  int size = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> png(
      stbi_write_png_to_mem(image.data, static_cast<int>(image.stride), image.width, image.height,
                            image.channels, &size),
      std::free);
  if (png == nullptr) throw Error("no memory for the bytes of a PNG file");
  const auto* const bytes = reinterpret_cast<const std::byte*>(png.get());
  return {bytes, bytes + size};
}

}  // namespace millrace

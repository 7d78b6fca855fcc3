#pragma once
// Decodes image files to pixels of a given size. The kind of file is found from its content, never
// from its name; every error names the file and says what to do.

#include <millrace/core/bytes.h>
#include <millrace/core/colour.h>
#include <millrace/core/shape.h>
#include <millrace/image/filter.h>
#include <millrace/image/image.h>
#include <millrace/io/large_images.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace millrace {

class RandomAccessFile;

/// What the header of an image says.
struct ImageInfo {
  const char* format = "";  ///< "JPEG", "PNG", "BMP", "GIF", "PNM", "PSD", "TGA", "TIFF" or "WebP"
  int height = 0;
  int width = 0;
  int channels = 0;  ///< as stored: 1 grey, 2 with alpha, 3 RGB or a palette, 4 with alpha or CMYK
  int orientation = 1;  ///< EXIF's, 1 to 8, for sizes as stored (image/orientation.h); of TIFF 1,
                        ///< since such files are always turned
};

/// A file that lies within another, as in an archive.
struct FilePart {
  const RandomAccessFile& in;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string_view name{};  ///< for messages
};

/// Reads the header only. Throws Error that begins with `name`. Thread-safe.
[[nodiscard]] ImageInfo image_info(std::span<const std::byte> file, std::string_view name);

/// The most pixels of an image where nobody says otherwise: Pillow's bound against small files
/// that unpack to enormous images.
inline constexpr std::uint64_t kMaxImagePixels = 178'956'970;

/// Bounds on what one image may cost. All are checked before memory is taken.
struct DecoderOptions {
  std::uint64_t max_pixels = kMaxImagePixels;  ///< height times width
  /// Of memory for the bytes of a file that decode_file() reads, and as much again for formats that
  /// cannot be decoded row by row: all but JPEG, and progressive JPEG.
  Bytes max_scratch = Bytes{128U << 20};
  /// Where decoders take turns for files and images that need more; null: these are refused.
  std::shared_ptr<LargeImages> large{};
  /// Whether images are turned upright before they are resized, as Pillow's exif_transpose()
  /// does; else all but TIFF are taken as they are stored.
  bool exif_orientation = false;
  /// What images with transparency are put on, as by Pillow's alpha_composite(); none:
  /// transparency is dropped.
  std::optional<Colour> background{};
  /// A JPEG of more pixels than this is decoded at 1/2, 1/4 or 1/8 where that leaves four times the
  /// target's height and width, as Pillow's draft() does, but not for Filter::nearest.
  std::uint64_t large_jpeg = std::uint64_t{1} << 24;
};

/// Decodes JPEG (libjpeg-turbo), PNG (stb_image), GIF (giflib, first frame), WebP (libwebp; of an
/// animation the first frame), TIFF (libtiff; the first page), BMP, PBM, PGM, PPM, PSD (the merged
/// image) and TGA into a target of any size. Pixels equal Pillow's convert() followed by resize()
/// to the byte: alpha is dropped, CMYK is taken as Adobe writes it (inverted), grey comes from RGB
/// by ITU-R 601 (EXIF's orientation and a background are options); but grey samples of more than 8
/// bits are scaled by their maximum (PGM, TIFF) or give their highest 8 bits (PNG), where Pillow
/// clips, and a large JPEG is decoded smaller where the target is small. A JPEG is streamed through
/// the resizer, so its size costs no memory. Stricter than Pillow: a JPEG that lacks data, and a
/// PNG with a wrong checksum or parts in an order that the format forbids, are errors.
///
/// Thread safety: one Decoder a thread; it keeps its buffers from file to file. A copy has the same
/// options, and buffers of its own.
///
///   Decoder decoder;
///   decoder.decode(bytes, "cats/1.jpg", {pixels.data(), 150, 150, 3}, Filter::bilinear);
class Decoder {
 public:
  explicit Decoder(DecoderOptions options = {});
  ~Decoder();
  Decoder(const Decoder& other);
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder other) noexcept;

  /// Decodes and resizes the whole image into the whole target, of 1 or 3 channels. Throws Error
  /// that begins with `name`; the target is then undefined.
  void decode(std::span<const std::byte> file, std::string_view name, ImageView target,
              Filter filter);
  /// The same into a sample of a batch, {height, width, 1 or 3}: u8, or the same numbers, 0 to 255,
  /// as f32.
  void decode(std::span<const std::byte> file, std::string_view name, const TensorView& target,
              Filter filter = Filter::bilinear);
  /// Reads a file and decodes it. Errors name the path.
  void decode_file(const std::filesystem::path& path, ImageView target, Filter filter);
  /// The same of a file within another.
  void decode_file(const FilePart& file, ImageView target, Filter filter);
  /// Reads a file's header, from its first 64 KiB where they hold it.
  [[nodiscard]] ImageInfo info(const std::filesystem::path& path);
  [[nodiscard]] ImageInfo info(const FilePart& file);
  /// Converts channels (1, 2, 3 or 4, as in ImageInfo without CMYK) and resizes pixels that need no
  /// decoding.
  void fit(ConstImageView source, ImageView target, Filter filter);

  /// Memory held between files.
  [[nodiscard]] Bytes scratch_bytes() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace

#include <millrace/io/detail/orientation.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/number_at.h>
#include <millrace/io/detail/orientation_exif.h>
#include <millrace/io/detail/webp_reader.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace millrace::detail {
namespace {

using namespace std::string_view_literals;
using Span = std::span<const std::byte>;

// EXIF and XMP of a JPEG file. A second part of EXIF goes on where the first ends, of XMP the last
// one counts.
class JpegMetadata {
 public:
  void take(Span segment) {
    constexpr std::string_view kExif = "Exif\0\0"sv, kXmp = "http://ns.adobe.com/xap/1.0/\0"sv;
    const std::string_view text(reinterpret_cast<const char*>(segment.data()), segment.size());
    if (text.starts_with(kExif)) {
      take_exif(segment.subspan(kExif.size()));
    } else if (text.starts_with(kXmp)) {
      xmp_ = segment.subspan(kXmp.size());
    }
  }

  [[nodiscard]] int orientation() const { return orientation_of(exif_, xmp_); }

 private:
  void take_exif(Span part) {
    if (exif_.empty()) {
      exif_ = part;
      return;
    }
    if (joined_.empty()) joined_.assign(exif_.begin(), exif_.end());
    joined_.insert(joined_.end(), part.begin(), part.end());
    exif_ = joined_;
  }

  Span exif_, xmp_;
  std::vector<std::byte> joined_;
};

bool has_length(unsigned marker) {
  const bool is_restart_or_end = marker >= 0xD0 && marker <= 0xD9;
  return marker != 0xC8 && !is_restart_or_end && (marker < 0xF0 || marker == 0xFE);
}

// Walks the markers as Pillow does, over what may stand between them, up to the first scan.
int jpeg_orientation(Span file) {
  constexpr unsigned kStartOfScan = 0xDA, kApp1 = 0xE1;
  JpegMetadata metadata;
  for (std::size_t at = 2; at + 1 < file.size();) {
    const auto marker = std::to_integer<unsigned>(file[at + 1]);
    if (file[at] != std::byte{0xFF} || marker == 0xFF) {
      ++at;
      continue;
    }
    at += 2;
    if (marker == 0 || (marker >= 0xC0 && !has_length(marker))) continue;
    if (marker < 0xC0 || marker == kStartOfScan || file.size() - at < 2) break;
    const auto length = static_cast<std::size_t>(number_at(file, at, 2));
    const Span segment = file.subspan(at + 2).first(
        std::min(std::max<std::size_t>(length, 2) - 2, file.size() - at - 2));
    if (segment.size() + 2 < length) break;  // ends early
    if (marker == kApp1) metadata.take(segment);
    at += 2 + segment.size();
  }
  return metadata.orientation();
}

int webp_orientation(Span file) {
  try {
    const WebpMetadata metadata = webp_metadata(file);
    return orientation_of(metadata.exif, metadata.xmp);
  } catch (const Error&) {
    return 1;  // damaged
  }
}

}  // namespace

int exif_orientation(Format format, std::span<const std::byte> file) {
  switch (format) {
    case Format::jpeg: return jpeg_orientation(file);
    case Format::png: return png_orientation(file);
    case Format::tiff: return tiff_orientation(file);
    case Format::webp: return webp_orientation(file);
    case Format::bmp:
    case Format::gif:
    case Format::pnm:
    case Format::psd:
    case Format::tga: return 1;
  }
  return 1;
}

}  // namespace millrace::detail

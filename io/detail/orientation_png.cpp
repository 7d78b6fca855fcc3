// Where PNG files have EXIF and XMP, by Pillow's rules: the part eXIf, and texts by their keyword,
// plain or packed, of which each takes the place of one before it.

#include <millrace/core/shown_text.h>
#include <millrace/io/detail/number_at.h>
#include <millrace/io/detail/orientation.h>
#include <millrace/io/detail/orientation_exif.h>

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::detail {
namespace {

using Span = std::span<const std::byte>;

// Pillow refuses files with more text.
constexpr std::size_t kMostText = std::size_t{1} << 20, kMostTexts = 64 * kMostText;

std::string_view text_of(Span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_utf8(std::string_view text) {
  return as_utf8(text) == text;
}

// Bytes of the file, or what was unpacked from them.
struct Text {
  Span bytes;
  std::shared_ptr<const std::vector<std::byte>> unpacked;
};

// The text up to a zero byte, which is taken from `data` with it; all of it where there is none.
std::string_view take_word(Span& data, bool& has_end) {
  const std::string_view text = text_of(data);
  const std::size_t end = text.find('\0');
  has_end = end != std::string_view::npos;
  data = has_end ? data.subspan(end + 1) : Span();
  return text.substr(0, end);
}

enum class Unpacked { whole, too_long, damaged };

// Unlike inflate(), with what there is of a stream that ends early.
Unpacked unpack(Span packed, std::vector<std::byte>& into) {
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());  // of a length in 32 bits
  int status = Z_OK;
  while (status == Z_OK && stream.avail_out == 0 && stream.total_out < kMostText) {
    const std::size_t done = into.size();
    into.resize(std::min(kMostText, std::max<std::size_t>(2 * done, 4 * packed.size() + 64)));
    stream.next_out = reinterpret_cast<Bytef*>(into.data()) + done;
    stream.avail_out = static_cast<uInt>(into.size() - done);
    status = ::inflate(&stream, Z_SYNC_FLUSH);
  }
  into.resize(into.size() - stream.avail_out);
  if (status == Z_OK && stream.avail_in > 0) return Unpacked::too_long;
  const bool is_good = status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR;
  return is_good ? Unpacked::whole : Unpacked::damaged;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// ImageMagick's "Raw profile type exif": three lines about it, then hexadecimal digits. Nullopt
// where other things stand among them.
std::optional<std::vector<std::byte>> profile_of(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  std::vector<std::byte> bytes;
  int high = -1;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) {
      const bool is_space = c == ' ' || (c >= '\t' && c <= '\r');
      if (c == '\n' || (is_space && high < 0)) continue;
      return std::nullopt;
    }
    if (high >= 0) bytes.push_back(static_cast<std::byte>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  if (high >= 0) return std::nullopt;
  return bytes;
}

class PngMetadata {
 public:
  // False: what stands behind it is not looked at.
  bool take(std::string_view type, Span data) {
    if (type == "IEND") return false;
    if (type == "fcTL" && has_pixels_ && is_animated_) return false;  // of the next frame
    if (type == "IDAT" && !has_pixels_) {
      has_pixels_ = true;
      is_animated_ = frames_ > 1 || (frames_ == 1 && !has_frame_);
    }
    if (type == "fcTL") has_frame_ = true;
    if (type == "acTL" && data.size() >= 8 && !has_pixels_) {
      const std::uint64_t frames = number_at(data, 0, 4);
      frames_ = frames_ == 0 && frames <= 0x80000000 ? frames : 0;  // a second one undoes the first
    }
    if (type == "eXIf") keep("exif", {data, nullptr}, false);
    if (type == "tEXt" || type == "zTXt") take_text(data, type == "zTXt");
    if (type == "iTXt") take_international(data);
    return !is_refused_;
  }

  [[nodiscard]] int orientation() const {
    if (is_refused_) return 1;
    const Span xmp = xml_.bytes.empty() ? xmp_.bytes : xml_.bytes;
    if (exif_ && is_exif_text_ && !exif_->bytes.empty()) return 1;  // Pillow gives up
    if (exif_) return orientation_of(exif_->bytes, xmp);
    if (!profile_) return orientation_of({}, xmp);
    const auto profile = profile_of(text_of(profile_->bytes));
    return profile ? orientation_of(*profile, xmp) : 1;
  }

 private:
  static constexpr std::string_view kXml = "XML:com.adobe.xmp", kProfile = "Raw profile type exif";

  static bool is_wanted(std::string_view key) {
    return key == "exif" || key == kProfile || key == kXml || key == "xmp";
  }

  void keep(std::string_view key, Text text, bool is_text) {
    if (key == "exif") {
      exif_ = std::move(text);
      is_exif_text_ = is_text;
    } else if (key == kProfile) {
      profile_ = std::move(text);
    } else if (key == kXml) {
      xml_ = std::move(text);
    } else if (key == "xmp") {
      xmp_ = {};  // Pillow gives up on text where it looks for bytes
    }
  }

  // False: it is damaged.
  bool unpack_text(Text& text) {
    auto unpacked = std::make_shared<std::vector<std::byte>>();
    const Unpacked status = unpack(text.bytes, *unpacked);
    unpacked_bytes_ += unpacked->size();
    if (status == Unpacked::too_long || unpacked_bytes_ > kMostTexts) is_refused_ = true;
    if (status != Unpacked::whole) return false;
    text = {*unpacked, unpacked};
    return true;
  }

  void take_text(Span data, bool is_packed) {
    bool has_end = false;
    const std::string_view key = take_word(data, has_end);
    if (!is_wanted(key)) return;
    Text text{data, nullptr};
    if (is_packed && !data.empty()) {
      if (data[0] != std::byte{0}) is_refused_ = true;  // another way to pack
      text.bytes = data.subspan(1);
      if (!unpack_text(text)) text = {};
    }
    keep(key, std::move(text), is_packed);
  }

  void take_international(Span data) {
    bool has_end = false;
    const std::string_view key = take_word(data, has_end);
    if (!is_wanted(key) || data.size() < 2) return;
    const bool is_packed = data[0] != std::byte{0}, is_known = data[1] == std::byte{0};
    data = data.subspan(2);
    const std::string_view language = take_word(data, has_end);
    if (!has_end) return;
    const std::string_view translated = take_word(data, has_end);
    Text text{data, nullptr};
    if (!has_end || (is_packed && (!is_known || !unpack_text(text)))) return;
    if (key == kXml) xmp_ = text;
    if (is_utf8(language) && is_utf8(translated) && is_utf8(text_of(text.bytes))) {
      keep(key, std::move(text), true);
    }
  }

  std::optional<Text> exif_, profile_;
  Text xml_, xmp_;
  bool is_exif_text_ = false;
  bool is_refused_ = false;  // by Pillow
  std::size_t unpacked_bytes_ = 0;
  std::uint64_t frames_ = 0;
  bool has_frame_ = false, has_pixels_ = false, is_animated_ = false;
};

bool is_name(std::string_view type) {
  return std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

int png_orientation(std::span<const std::byte> file) {
  constexpr std::size_t kAround = 12;  // length, type and checksum of a part
  PngMetadata metadata;
  for (std::size_t at = 8; at <= file.size() && file.size() - at >= kAround;) {
    const auto length = static_cast<std::size_t>(number_at(file, at, 4));
    const std::string_view type = text_of(file.subspan(at + 4, 4));
    if (length > file.size() - at - kAround || !is_name(type)) break;
    if (!metadata.take(type, file.subspan(at + 8, length))) break;
    at += length + kAround;
  }
  return metadata.orientation();
}

}  // namespace millrace::detail

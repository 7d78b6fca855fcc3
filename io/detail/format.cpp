#include <millrace/io/detail/format.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/bmp_header.h>
#include <millrace/io/detail/pnm_reader.h>
#include <millrace/io/detail/tga_reader.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace millrace::detail {
namespace {

using namespace std::string_view_literals;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Foreign {
  std::size_t offset;
  std::string_view magic;
  const char* format;
  const char* converter;
};

// Formats that people have in their folders and Millrace does not read, and what turns them into
// one that it does.
constexpr std::array<Foreign, 16> kForeign = {{
    {4, "ftypavif"sv, "AVIF", "`avifdec in.avif out.png`"},
    {4, "ftypavis"sv, "AVIF", "`avifdec in.avif out.png`"},
    {4, "ftyphei"sv, "HEIC", "`heif-convert in.heic out.jpg`"},
    {4, "ftyphev"sv, "HEIC", "`heif-convert in.heic out.jpg`"},
    {4, "ftypmif1"sv, "HEIC", "`heif-convert in.heic out.jpg`"},
    {4, "ftypmsf1"sv, "HEIC", "`heif-convert in.heic out.jpg`"},
    {0, "%PDF"sv, "PDF", "`pdftoppm -png in.pdf out`"},
    {4, "jP  "sv, "JPEG 2000", "`opj_decompress -i in.jp2 -o out.png`"},
    {0, "\xFF\x4F\xFF\x51"sv, "JPEG 2000", "`opj_decompress -i in.j2k -o out.png`"},
    {4, "JXL "sv, "JPEG XL", "`djxl in.jxl out.png`"},
    {0, "\xFF\x0A"sv, "JPEG XL", "`djxl in.jxl out.png`"},
    {0, "<svg"sv, "SVG", "`rsvg-convert in.svg -o out.png`"},
    {0, "P7"sv, "PAM", "`pamtopng in.pam > out.png`"},
    {0, "Pf\n"sv, "PFM", "`pfmtopam in.pfm | pamtopng > out.png`"},
    {0, "PF\n"sv, "PFM", "`pfmtopam in.pfm | pamtopng > out.png`"},
    {0, "\0\0\1\0"sv, "icon", "`icotool -x in.ico`"},
}};

// As the name is spoken: an AVIF, an SVG.
const char* article_of(std::string_view format) {
  constexpr std::string_view kVowels = "AEIOaeio";
  const bool is_an = kVowels.find(format.front()) != std::string_view::npos || format == "SVG";
  return is_an ? "an " : "a ";
}

// The first bytes for a message: as text where they are text.
std::string beginning(std::string_view file) {
  const std::string_view head = file.substr(0, std::min<std::size_t>(file.size(), 16));
  const bool is_text = std::all_of(head.begin(), head.end(),
                                   [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
  if (is_text) return concat("the text '", head, "'");
  std::string hex;
  for (const char c : head.substr(0, 8)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    hex += {' ', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return "the bytes" + hex;
}

}  // namespace

const char* to_string(Format format) noexcept {
  switch (format) {
    case Format::jpeg: return "JPEG";
    case Format::png: return "PNG";
    case Format::bmp: return "BMP";
    case Format::gif: return "GIF";
    case Format::pnm: return "PNM";
    case Format::psd: return "PSD";
    case Format::tga: return "TGA";
    case Format::tiff: return "TIFF";
    case Format::webp: return "WebP";
  }
  return "?";
}

Format sniff(std::span<const std::byte> file) {
  const std::string_view text = text_of(file);
  if (text.empty()) throw Error("the file is empty; remove it or get it again");
  if (text.starts_with("\xFF\xD8\xFF"sv)) return Format::jpeg;
  if (text.starts_with("\x89PNG\r\n\x1A\n"sv)) return Format::png;
  if (text.starts_with("GIF87a"sv) || text.starts_with("GIF89a"sv)) return Format::gif;
  if (text.starts_with("8BPS"sv)) return Format::psd;
  if (is_pnm(file)) return Format::pnm;
  if (text.starts_with("RIFF"sv) && text.substr(0, 12).ends_with("WEBP"sv)) return Format::webp;
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (text.starts_with(magic)) return Format::tiff;  // the last two are those of BigTIFF
  }
  for (const Foreign& foreign : kForeign) {
    if (text.size() > foreign.offset && text.substr(foreign.offset).starts_with(foreign.magic)) {
      throw ForeignFormat(article_of(foreign.format), foreign.format, foreign.converter);
    }
  }
  if (is_bmp(file)) return Format::bmp;
  if (is_tga(file)) return Format::tga;
  throw Error(concat("not an image: it begins with ", beginning(text), "; remove it"));
}

}  // namespace millrace::detail

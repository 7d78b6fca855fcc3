#include <millrace/io/detail/tiff_layout.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/tiff_file.h>

#include <tiffio.h>
#include <algorithm>
#include <limits>
#include <string>

namespace millrace::detail {
namespace {

[[noreturn]] void refuse(const std::string& kind) {
  throw Error(concat("a TIFF file ", kind,
                     ", which is not read; convert it with `convert in.tif out.png` of "
                     "ImageMagick"));
}

// What Pillow reads too.
void check_compression(std::uint16_t compression) {
  switch (compression) {
    case COMPRESSION_NONE:
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
    case COMPRESSION_LZW:
    case COMPRESSION_OJPEG:
    case COMPRESSION_JPEG:
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_CCITTRLEW:
    case COMPRESSION_PACKBITS:
    case COMPRESSION_THUNDERSCAN:
    case COMPRESSION_DEFLATE:
    case COMPRESSION_LZMA:
    case COMPRESSION_ZSTD:
    case COMPRESSION_WEBP:
      if (TIFFIsCODECConfigured(compression) != 0) return;
      break;
    default: break;
  }
  const TIFFCodec* const codec = TIFFFindCODEC(compression);
  refuse(codec != nullptr ? concat("of compression ", codec->name)
                          : concat("of compression ", compression));
}

const char* name_of_colours(std::uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MASK: return "that is a mask";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB: return "of L*a*b* colours";
    case PHOTOMETRIC_CFA: return "of a camera's raw samples";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV: return "of logarithmic colours";
    default: return "of colours that are not known";
  }
}

void check_size(const TiffFile& file, RasterHeader& header) {
  const std::uint32_t height = file.number(TIFFTAG_IMAGELENGTH);
  const std::uint32_t width = file.number(TIFFTAG_IMAGEWIDTH);
  constexpr std::uint32_t kMost = std::numeric_limits<int>::max();
  if (height == 0 || width == 0 || height > kMost || width > kMost) {
    throw Error("its header is damaged or claims more pixels than can be decoded; get it again");
  }
  header.height = static_cast<int>(height);
  header.width = static_cast<int>(width);
}

void check_samples(const TiffFile& file, const TiffLayout& layout) {
  switch (file.small(TIFFTAG_SAMPLEFORMAT)) {
    case SAMPLEFORMAT_UINT: break;
    case SAMPLEFORMAT_INT: refuse(concat("of signed samples of ", layout.bits, " bits"));
    case SAMPLEFORMAT_IEEEFP: refuse(concat("of floating-point samples of ", layout.bits, " bits"));
    default: refuse("of samples that are no integers");
  }
  const bool is_grey = layout.colours == TiffColours::grey;
  const bool is_alone = layout.samples == 1;
  switch (layout.bits) {
    case 1:
    case 2:
    case 4:
      if ((is_grey || layout.colours == TiffColours::palette) && is_alone) return;
      break;
    case 8: return;
    case 12:
      if (is_grey && is_alone && !layout.is_inverted) return;
      break;
    case 16:
      if (is_grey && is_alone && !layout.is_inverted) return;
      if (layout.colours == TiffColours::rgb || layout.colours == TiffColours::cmyk) return;
      break;
    default: break;
  }
  refuse(concat("of ", layout.samples, layout.is_inverted ? " inverted" : "",
                is_alone ? " sample" : " samples", " of ", layout.bits, " bits a pixel"));
}

// The first sample that is no colour, and whether it is alpha. What comes after it is not.
struct Extra {
  int count = 0;
  bool is_alpha = false;
  bool is_associated = false;
  bool has_more_alpha = false;  // or rather, what comes after it claims to be
};

Extra extra_samples(const TiffFile& file) {
  std::uint16_t count = 0;
  std::uint16_t* kinds = nullptr;
  TIFFGetFieldDefaulted(file.get(), TIFFTAG_EXTRASAMPLES, &count, &kinds);
  if (count == 0 || kinds == nullptr) return {};
  const auto is_alpha = [](std::uint16_t kind) { return kind != EXTRASAMPLE_UNSPECIFIED; };
  return {count, is_alpha(kinds[0]), kinds[0] == EXTRASAMPLE_ASSOCALPHA,
          std::any_of(kinds + 1, kinds + count, is_alpha)};
}

// Sets how many samples of a pixel are used and how many channels they become.
void count_samples(const TiffFile& file, Transparency transparency, TiffLayout& layout) {
  const bool is_kept = transparency == Transparency::kept;
  Extra extra = extra_samples(file);
  const bool is_four = layout.colours == TiffColours::cmyk;
  const bool is_three = layout.colours == TiffColours::rgb || layout.colours == TiffColours::ycc;
  const int colours = is_four ? 4 : is_three ? 3 : 1;
  const int others = layout.samples - colours;
  const auto unusual = [&] {
    refuse(concat("of ", layout.samples, " samples a pixel", extra.is_alpha ? ", with alpha" : ""));
  };
  layout.used = colours;
  layout.header.channels = layout.colours == TiffColours::palette ? 3 : colours;
  if (others == 0) return;
  if (others < 0 || others > 3) unusual();
  if (is_kept && layout.colours == TiffColours::rgb && !file.stored(TIFFTAG_EXTRASAMPLES)) {
    if (others > 1) unusual();
    extra.is_alpha = true;  // as Pillow guesses; libtiff does not
  }
  if (is_kept && extra.has_more_alpha) unusual();
  switch (layout.colours) {
    case TiffColours::grey:
      if (others > 1 || !extra.is_alpha || extra.is_associated || layout.is_inverted) unusual();
      layout.used = layout.header.channels = 2;
      break;
    case TiffColours::palette:
      if (others > 1 || extra.is_associated || (layout.has_planes && !extra.is_alpha)) unusual();
      if (!is_kept || !extra.is_alpha) break;
      layout.used = 2;
      layout.header.channels = 4;
      break;
    case TiffColours::rgb:
      if (layout.bits == 16 && others > 1) unusual();
      if (!extra.is_alpha) break;
      layout.used = layout.header.channels = 4;
      layout.is_associated = extra.is_associated;
      break;
    case TiffColours::cmyk:
      if (layout.bits == 16 || extra.is_alpha) unusual();
      break;
    case TiffColours::ycc: unusual();
  }
}

void read_palette(const TiffFile& file, TiffLayout& layout) {
  std::array<std::uint16_t*, 3> columns{};
  if (TIFFGetField(file.get(), TIFFTAG_COLORMAP, &columns[0], &columns[1], &columns[2]) != 1) {
    throw Error("it is damaged (there is no palette); get it again");
  }
  const std::size_t count = std::size_t{1} << static_cast<unsigned>(layout.bits);
  std::uint16_t highest = 0;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint16_t value = columns[column][i];
      highest = std::max(highest, value);
      layout.palette[i][column] = static_cast<std::uint8_t>(value >> 8U);
    }
  }
  // Those of some old programs, in which 255 is the most; in a proper one they would all be black.
  if (highest > 0 && highest < 256) refuse("whose palette has values of 8 bits");
}

// What Pillow reads wrong where it does not leave it to libtiff, so that nothing says what is
// right.
void check_unpacked(const TiffFile& file, const TiffLayout& layout) {
  if (layout.compression != COMPRESSION_NONE) return;
  if (layout.colours == TiffColours::ycc) refuse("of YCbCr colours without compression");
  if (!layout.has_planes) return;
  if (layout.bits > 8) refuse(concat("in planes of ", layout.bits, " bits without compression"));
  if (file.small(TIFFTAG_FILLORDER) == FILLORDER_LSB2MSB) {
    refuse("in planes without compression, with its bits reversed");
  }
}

}  // namespace

TiffLayout read_tiff_layout(const TiffFile& file, Transparency transparency) {
  TiffLayout layout;
  check_size(file, layout.header);
  layout.compression = file.small(TIFFTAG_COMPRESSION);
  check_compression(layout.compression);
  const bool has_dictionary =
      layout.compression == COMPRESSION_LZMA || layout.compression == COMPRESSION_ZSTD;
  if (has_dictionary && file.small(TIFFTAG_FILLORDER) == FILLORDER_LSB2MSB) {
    refuse("of compressed data with their bits reversed");
  }
  layout.bits = file.small(TIFFTAG_BITSPERSAMPLE);
  layout.samples = file.small(TIFFTAG_SAMPLESPERPIXEL);
  layout.has_planes =
      file.small(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE && layout.samples > 1;
  const std::uint16_t photometric = file.small(TIFFTAG_PHOTOMETRIC);
  // libtiff takes it for grey or RGB then.
  if (photometric != PHOTOMETRIC_PALETTE &&
      file.stored(TIFFTAG_PHOTOMETRIC) == std::uint32_t{PHOTOMETRIC_PALETTE}) {
    if (layout.bits > 8) refuse(concat("of a palette of ", layout.bits, " bits"));
    throw Error("it is damaged (there is no palette); get it again");
  }
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE: layout.is_inverted = true; break;
    case PHOTOMETRIC_MINISBLACK: break;
    case PHOTOMETRIC_RGB: layout.colours = TiffColours::rgb; break;
    case PHOTOMETRIC_PALETTE: layout.colours = TiffColours::palette; break;
    case PHOTOMETRIC_SEPARATED: layout.colours = TiffColours::cmyk; break;
    case PHOTOMETRIC_YCBCR: layout.colours = TiffColours::ycc; break;
    default: refuse(name_of_colours(photometric));
  }
  check_samples(file, layout);
  if (layout.compression == COMPRESSION_OJPEG && layout.colours != TiffColours::ycc) {
    refuse("with a JPEG of the old kind that is not YCbCr");
  }
  count_samples(file, transparency, layout);
  if (layout.has_planes && extra_samples(file).count > 0 && !file.stored(TIFFTAG_EXTRASAMPLES)) {
    refuse("in planes that does not say what all of them are");
  }
  check_unpacked(file, layout);
  if (layout.colours == TiffColours::palette) read_palette(file, layout);
  return layout;
}

}  // namespace millrace::detail

#include <millrace/io/detail/gif_reader.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/gif_codes.h>
#include <millrace/io/detail/memory_sanitizer.h>
#include <millrace/io/detail/unread.h>

#include <gif_lib.h>
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>

namespace millrace::detail {
namespace {

struct Source {
  std::span<const std::byte> file;
  std::size_t at = 0;

  static int read(GifFileType* gif, GifByteType* into, int wanted) {
    auto& source = *static_cast<Source*>(gif->UserData);
    const std::size_t n =
        std::min(source.file.size() - source.at, static_cast<std::size_t>(wanted));
    std::memcpy(into, source.file.data() + source.at, n);
    source.at += n;
    return static_cast<int>(n);
  }
};

// A palette that gives each index as its own grey, which Pillow takes for none.
bool is_ramp(const ColorMapObject& map) {
  for (int i = 0; i < map.ColorCount; ++i) {
    const GifColorType& colour = map.Colors[i];
    if (colour.Red != i || colour.Green != i || colour.Blue != i) return false;
  }
  return true;
}

// A GIF file up to the data of its first frame.
class GifFile {
 public:
  GifFile(std::span<const std::byte> file, Transparency transparency) : source_{file} {
    int error = 0;
    gif_ = DGifOpen(&source_, Source::read, &error);
    if (gif_ == nullptr && error == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
    if (gif_ == nullptr) ends_early();
    written_by_library(gif_, sizeof(*gif_));
    try {
      find_frame();
      has_alpha_ = transparency == Transparency::kept && transparent_.has_value();
    } catch (...) {
      DGifCloseFile(gif_, nullptr);
      throw;
    }
  }
  ~GifFile() { DGifCloseFile(gif_, nullptr); }
  GifFile(const GifFile&) = delete;
  GifFile& operator=(const GifFile&) = delete;

  // A frame may be larger than the screen, or not lie on it.
  [[nodiscard]] RasterHeader header() const {
    const GifImageDesc& frame = gif_->Image;
    return {std::max(gif_->SHeight, frame.Top + frame.Height),
            std::max(gif_->SWidth, frame.Left + frame.Width),
            (colours() == nullptr ? 1 : 3) + (has_alpha_ ? 1 : 0)};
  }
  [[nodiscard]] const GifImageDesc& frame() const noexcept { return gif_->Image; }
  [[nodiscard]] const ColorMapObject* colours() const {
    const ColorMapObject* map = gif_->Image.ColorMap;
    if (map == nullptr) map = gif_->SColorMap;
    return map == nullptr || is_ramp(*map) ? nullptr : map;
  }
  [[nodiscard]] bool has_alpha() const noexcept { return has_alpha_; }
  // The index of what the frame does not cover; the transparent one if there is one.
  [[nodiscard]] int background() const noexcept { return transparent_.value_or(0); }
  [[nodiscard]] int code_bits() const noexcept { return code_bits_; }

  int next_code(int width) {
    while (filled_ < width) {
      if (left_ == 0) {
        GifByteType* block = nullptr;  // its length comes first
        if (DGifGetCodeNext(gif_, &block) == GIF_ERROR) fail();
        if (block == nullptr) ends_early();
        left_ = *block;
        at_ = block + 1;
      }
      bits_ |= static_cast<std::uint32_t>(*at_++) << filled_;
      filled_ += 8;
      --left_;
    }
    const std::uint32_t code = bits_ & ((1U << width) - 1);
    bits_ >>= width;
    filled_ -= width;
    return static_cast<int>(code);
  }

 private:
  void find_frame() {
    GifRecordType kind = UNDEFINED_RECORD_TYPE;
    while (kind != IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetRecordType(gif_, &kind) == GIF_ERROR) {
        if (gif_->Error != D_GIF_ERR_WRONG_RECORD) fail();
        continue;  // a stray byte between the parts
      }
      if (kind == EXTENSION_RECORD_TYPE) read_extension();
      if (kind == TERMINATE_RECORD_TYPE) is_damaged("no frame");
    }
    const bool is_read = DGifGetImageDesc(gif_) == GIF_OK;
    for (const ColorMapObject* map : {gif_->SColorMap, gif_->Image.ColorMap}) {
      if (map != nullptr) written_by_library(map, sizeof(*map));
    }
    // giflib has just read it, does not tell it, and takes more than 8 for an error.
    code_bits_ = std::to_integer<int>(source_.file[source_.at - 1]);
    const bool is_over =
        gif_->Error == D_GIF_ERR_NOT_ENOUGH_MEM || source_.at == source_.file.size();
    if (!is_read && (is_over || code_bits_ <= 8)) fail();
    if (code_bits_ > GifCodes::kMostBits) is_damaged("codes of too many bits");
    if (gif_->Image.Width == 0 || gif_->Image.Height == 0) is_damaged("a frame without pixels");
    const bool has_two = gif_->Image.ColorMap != nullptr && gif_->SColorMap != nullptr;
    if (has_two && is_ramp(*gif_->Image.ColorMap) && !is_ramp(*gif_->SColorMap)) {
      // Pillow has greys for such a frame in convert("L"), the other colours in convert("RGB").
      throw Error(
          "a GIF file with a frame of greys beside a palette of colours, which is not read; convert"
          " it with `convert 'in.gif[0]' out.png` of ImageMagick");
    }
  }

  void read_extension() {
    int kind = 0;
    GifByteType* block = nullptr;  // its length comes first
    if (DGifGetExtension(gif_, &kind, &block) == GIF_ERROR) fail();
    if (block == nullptr && kind != COMMENT_EXT_FUNC_CODE) is_damaged("an empty extension");
    if (block != nullptr && kind == GRAPHICS_EXT_FUNC_CODE) {
      const bool has_transparent = (block[1] & 1) != 0;
      if (block[0] < (has_transparent ? 4 : 3)) is_damaged("a short extension");
      if (has_transparent) transparent_ = block[4];
    }
    const bool is_loop = block != nullptr && kind == APPLICATION_EXT_FUNC_CODE &&
                         std::string_view(reinterpret_cast<const char*>(block + 1), block[0])
                             .starts_with("NETSCAPE2.0");
    int blocks = 0;
    for (; block != nullptr; ++blocks) {
      if (DGifGetExtensionNext(gif_, &block) == GIF_ERROR) fail();
    }
    if (is_loop && blocks < 2) is_damaged("an extension that loops without a number");
  }

  [[noreturn]] void fail() const {
    if (gif_->Error == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
    if (source_.at == source_.file.size()) ends_early();
    is_damaged("its data");
  }

  Source source_;
  GifFileType* gif_ = nullptr;
  std::optional<int> transparent_;
  bool has_alpha_ = false;  // it is kept
  int code_bits_ = 0;
  std::uint32_t bits_ = 0;  // of the data, `filled_` of them
  int filled_ = 0;
  const GifByteType* at_ = nullptr;  // the block, of which `left_` bytes are left
  int left_ = 0;
};

// Where the indices of a frame go, one after the other.
class Canvas {
 public:
  Canvas(Raster& raster, const GifFile& gif) : raster_(raster), frame_(gif.frame()) {
    const ColorMapObject* const map = gif.colours();
    for (std::size_t i = 0; i < colours_.size(); ++i) {
      const Channels grey = {static_cast<std::uint8_t>(i), kOpaque};
      colours_[i] = map == nullptr ? grey : Channels{0, 0, 0, kOpaque};
    }
    for (int i = 0; map != nullptr && i < map->ColorCount; ++i) {
      const GifColorType& colour = map->Colors[i];
      colours_[static_cast<std::size_t>(i)] = {colour.Red, colour.Green, colour.Blue, kOpaque};
    }
    if (gif.has_alpha()) {
      const auto alpha = static_cast<std::size_t>(raster.header.channels - 1);
      colours_[static_cast<std::size_t>(gif.background())][alpha] = 0;
    }
    fill(static_cast<std::uint8_t>(gif.background()));
  }

  [[nodiscard]] bool is_full() const noexcept { return rows_ == frame_.Height; }

  // What would come after the last row is dropped.
  void put(std::span<const std::uint8_t> indices) {
    while (!indices.empty() && !is_full()) {
      const std::size_t n =
          std::min(indices.size(), static_cast<std::size_t>(frame_.Width - column_));
      std::uint8_t* const to = pixel(frame_.Top + row_, frame_.Left + column_);
      write(indices.first(n), to);
      indices = indices.subspan(n);
      column_ += static_cast<int>(n);
      if (column_ == frame_.Width) end_row();
    }
  }

 private:
  using Channels = std::array<std::uint8_t, 4>;  // as many as there are
  static constexpr std::uint8_t kOpaque = 255;
  struct Pass {
    int first, step;
  };
  static constexpr std::array<Pass, 4> kInterlaced = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};

  [[nodiscard]] std::uint8_t* pixel(int y, int x) const {
    const RasterHeader& header = raster_.header;
    return raster_.pixels.get() +
           (static_cast<std::size_t>(y) * static_cast<std::size_t>(header.width) +
            static_cast<std::size_t>(x)) *
               static_cast<std::size_t>(header.channels);
  }

  void write(std::span<const std::uint8_t> indices, std::uint8_t* to) const {
    switch (raster_.header.channels) {
      case 1: return void(std::copy(indices.begin(), indices.end(), to));
      case 2: return look_up<2>(indices, to);
      case 3: return look_up<3>(indices, to);
      default: return look_up<4>(indices, to);
    }
  }

  template <std::size_t kChannels>
  void look_up(std::span<const std::uint8_t> indices, std::uint8_t* to) const {
    for (const std::uint8_t index : indices) {
      to = std::copy_n(colours_[index].begin(), kChannels, to);
    }
  }

  void fill(std::uint8_t index) {
    const RasterHeader& header = raster_.header;
    if (frame_.Width == header.width && frame_.Height == header.height) return;
    const auto channels = static_cast<std::size_t>(header.channels);
    for (std::uint8_t* to = pixel(0, 0); to != pixel(header.height, 0); to += channels) {
      std::copy_n(colours_[index].begin(), channels, to);
    }
  }

  void end_row() {
    column_ = 0;
    if (++rows_ == frame_.Height) return;
    if (!frame_.Interlace) return void(++row_);
    row_ += kInterlaced[pass_].step;
    while (row_ >= frame_.Height) row_ = kInterlaced[++pass_].first;
  }

  Raster& raster_;
  GifImageDesc frame_;
  std::array<Channels, 256> colours_{};  // of each index
  std::size_t pass_ = 0;
  int rows_ = 0;  // that are whole
  int row_ = 0;
  int column_ = 0;
};

}  // namespace

RasterHeader gif_header(std::span<const std::byte> file, Transparency transparency) {
  return GifFile(file, transparency).header();
}

Raster gif_decode(std::span<const std::byte> file, std::size_t max_bytes,
                  Transparency transparency) {
  GifFile gif(file, transparency);
  Raster raster = new_raster(gif.header(), max_bytes);
  Canvas canvas(raster, gif);
  GifCodes codes(gif.code_bits());
  while (!canvas.is_full()) {
    const int code = gif.next_code(codes.width());
    if (codes.is_end(code)) ends_early();
    canvas.put(codes.expand(code));
  }
  return raster;
}

}  // namespace millrace::detail

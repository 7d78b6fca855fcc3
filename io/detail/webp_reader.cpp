#include <millrace/io/detail/webp_reader.h>

#include <millrace/core/error.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include <new>

namespace millrace::detail {
namespace {

struct Delete {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

struct Container {
  std::unique_ptr<WebPDemuxer, Delete> demuxer;  // points into the file
  RasterHeader canvas;
  bool is_whole = false;
};

// What Pillow asks, which may be said by the image's own data alone.
bool may_be_transparent(const WebPData& data) {
  WebPBitstreamFeatures features;
  return WebPGetFeatures(data.bytes, data.size, &features) == VP8_STATUS_OK &&
         features.has_alpha != 0;
}

Container parse(std::span<const std::byte> file, Transparency transparency) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(file.data()), file.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  Container container;
  container.demuxer.reset(WebPDemuxPartial(&data, &state));
  if (state == WEBP_DEMUX_PARSE_ERROR)
    throw Error("it is damaged (parts that cannot be); get it again");
  if (container.demuxer == nullptr || state == WEBP_DEMUX_PARSING_HEADER)
    throw Error("it ends early; get it again");
  const auto ask = [&](WebPFormatFeature what) {
    return WebPDemuxGetI(container.demuxer.get(), what);
  };
  // At most 2^24 each, which the format has no room to exceed.
  container.canvas.height = static_cast<int>(ask(WEBP_FF_CANVAS_HEIGHT));
  container.canvas.width = static_cast<int>(ask(WEBP_FF_CANVAS_WIDTH));
  const bool has_alpha = (ask(WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG) != 0 ||
                         (transparency == Transparency::kept && may_be_transparent(data));
  container.canvas.channels = has_alpha ? 4 : 3;
  container.is_whole = state == WEBP_DEMUX_DONE;
  return container;
}

class FirstFrame {
 public:
  explicit FirstFrame(const WebPDemuxer* demuxer) {
    if (WebPDemuxGetFrame(demuxer, 1, &frame_) == 0 || frame_.complete == 0)
      throw Error("it is damaged (no whole image in it); get it again");
  }
  ~FirstFrame() { WebPDemuxReleaseIterator(&frame_); }
  FirstFrame(const FirstFrame&) = delete;
  FirstFrame& operator=(const FirstFrame&) = delete;

  const WebPIterator* operator->() const noexcept { return &frame_; }

 private:
  WebPIterator frame_{};
};

void check(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OK: return;
    // From 1.3.2 on this is also said of damaged tables, which cannot be told from a lack of
    // memory.
    case VP8_STATUS_OUT_OF_MEMORY:
      throw Error("it is damaged, or decoding it takes more memory than there is; get it again");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: throw Error("it ends early; get it again");
    default: throw Error("it is damaged (data that cannot be); get it again");
  }
}

// What libwebp takes while it decodes, beside some rows and tables: all pixels of a lossless
// image before they are given out, and of one with alpha the whole of that.
std::uint64_t working_bytes(const WebPBitstreamFeatures& features) {
  const auto pixels =
      static_cast<std::uint64_t>(features.height) * static_cast<std::uint64_t>(features.width);
  constexpr int kLossless = 2;
  if (features.format == kLossless) return 4 * pixels;
  return features.has_alpha != 0 ? 5 * pixels : 0;
}

}  // namespace

RasterHeader webp_header(std::span<const std::byte> file, Transparency transparency) {
  return parse(file, transparency).canvas;
}

WebpMetadata webp_metadata(std::span<const std::byte> file) {
  const Container container = parse(file, Transparency::dropped);
  const auto part = [&](const char* name) -> std::span<const std::byte> {
    WebPChunkIterator found{};
    if (WebPDemuxGetChunk(container.demuxer.get(), name, 1, &found) == 0) return {};
    const std::span<const std::uint8_t> bytes(found.chunk.bytes, found.chunk.size);
    WebPDemuxReleaseChunkIterator(&found);  // the bytes are the file's
    return std::as_bytes(bytes);
  };
  return {part("EXIF"), part("XMP ")};
}

Raster webp_decode(std::span<const std::byte> file, std::size_t max_bytes,
                   Transparency transparency) {
  const Container container = parse(file, transparency);
  if (!container.is_whole) throw Error("it ends early; get it again");
  const FirstFrame frame(container.demuxer.get());
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) throw Error("libwebp is of another version; rebuild");
  check(WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input));
  const std::size_t bytes = raster_bytes(container.canvas);
  check_raster_bytes(bytes + working_bytes(config.input), max_bytes);

  Raster image = new_raster(container.canvas, max_bytes);
  const auto channels = static_cast<std::size_t>(container.canvas.channels);
  const std::size_t stride = static_cast<std::size_t>(container.canvas.width) * channels;
  const std::size_t offset = static_cast<std::size_t>(frame->y_offset) * stride +
                             static_cast<std::size_t>(frame->x_offset) * channels;
  if (offset >= bytes) throw Error("it is damaged (a frame beside its canvas); get it again");
  config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.pixels.get() + offset;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = bytes - offset;
  check(WebPDecode(frame->fragment.bytes, frame->fragment.size, &config));
  return image;
}

}  // namespace millrace::detail

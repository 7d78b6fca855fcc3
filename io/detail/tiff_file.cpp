#include <millrace/io/detail/tiff_file.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/number_at.h>
#include <millrace/io/detail/raster.h>

#include <tiffio.h>
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>

namespace millrace::detail {
namespace {

using Source = TiffFile::Source;

tmsize_t read(thandle_t user, void* data, tmsize_t wanted) {
  auto& source = *static_cast<Source*>(user);
  const std::uint64_t size = source.file.size();
  const std::uint64_t left = size - std::min(source.position, size);
  const std::uint64_t n = std::min(left, static_cast<std::uint64_t>(std::max<tmsize_t>(wanted, 0)));
  if (n < static_cast<std::uint64_t>(wanted)) source.has_ended_early = true;
  if (n > 0) std::memcpy(data, source.file.data() + source.position, n);
  source.position += n;
  return static_cast<tmsize_t>(n);
}

tmsize_t write(thandle_t, void*, tmsize_t) {
  return 0;
}

toff_t seek(thandle_t user, toff_t offset, int whence) {
  auto& source = *static_cast<Source*>(user);
  switch (whence) {
    case SEEK_SET: source.position = offset; break;
    case SEEK_CUR: source.position += offset; break;
    default: source.position = source.file.size() + offset; break;
  }
  return source.position;
}

int close(thandle_t) {
  return 0;
}

toff_t size(thandle_t user) {
  return static_cast<const Source*>(user)->file.size();
}

// Handlers say 1: it has been dealt with. Neither may throw into libtiff.
int on_error(TIFF*, void* user, const char*, const char* format, va_list words) {
  auto& source = *static_cast<Source*>(user);
  if (source.has_failed) return 1;
  std::vsnprintf(source.message.data(), source.message.size(), format, words);
  // An orientation that is none does no harm: libtiff goes on, and it is not asked for it.
  const std::string_view said = source.message.data();
  source.has_failed = said.find("for \"Orientation\" tag") == said.npos;
  return 1;
}

// Warnings after which libtiff goes on with pixels that are not in the file: of its fax decoder and
// of libjpeg, which says the same of itself in jpeg_reader.cpp.
constexpr std::array<std::string_view, 7> kMadeUp = {"Improper JPEG strip/tile size",
                                                     "Premature",
                                                     "premature",
                                                     "Line length mismatch",
                                                     "bad Huffman code",
                                                     "instead of RST",
                                                     "lack of data"};

int on_warning(TIFF* handle, void* user, const char* module, const char* format, va_list words) {
  std::array<char, 200> text{};
  va_list again;
  va_copy(again, words);
  std::vsnprintf(text.data(), text.size(), format, again);
  va_end(again);
  const std::string_view said = text.data();
  const auto says = [&](std::string_view part) { return said.find(part) != said.npos; };
  if (std::any_of(kMadeUp.begin(), kMadeUp.end(), says)) {
    on_error(handle, user, module, format, words);
  }
  return 1;
}

}  // namespace

void TiffFile::Close::operator()(tiff* handle) const noexcept {
  TIFFClose(handle);
}

TiffFile::TiffFile(std::span<const std::byte> file, std::size_t max_bytes)
    : max_bytes_(max_bytes), source_(std::make_unique<Source>()) {
  source_->file = file;
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  if (options == nullptr) throw std::bad_alloc();
  constexpr std::size_t kMost = std::size_t{1} << 62;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(),
                                      static_cast<tmsize_t>(std::min(max_bytes, kMost)));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, source_.get());
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, source_.get());
  // m: no mapping. C: what is one large strip without compression is read as many small ones.
  handle_.reset(TIFFClientOpenExt("TIFF", "rmC", source_.get(), read, write, seek, close, size,
                                  nullptr, nullptr, options.get()));
  if (handle_ == nullptr) fail();
  check();
}

std::uint16_t TiffFile::small(std::uint32_t tag) const {
  std::uint16_t value = 0;
  TIFFGetFieldDefaulted(get(), tag, &value);
  return value;
}

std::uint32_t TiffFile::number(std::uint32_t tag) const {
  std::uint32_t value = 0;
  TIFFGetFieldDefaulted(get(), tag, &value);
  return value;
}

std::optional<std::uint32_t> TiffFile::stored(std::uint32_t tag) const {
  const bool is_big_endian = TIFFIsBigEndian(get()) != 0;
  const bool is_wide = TIFFIsBigTIFF(get()) != 0;
  const std::span<const std::byte> file = bytes();
  const auto number = [&](std::uint64_t at, std::size_t size) {
    const bool is_there = at <= file.size() && size <= file.size() - at;
    return is_there ? number_at(file, at, size, is_big_endian) : 0;
  };
  const std::uint64_t directory = TIFFCurrentDirOffset(get());
  const std::size_t count_bytes = is_wide ? 8 : 2;
  const std::uint64_t entry_bytes = is_wide ? 20 : 12;
  const std::uint64_t count = std::min<std::uint64_t>(number(directory, count_bytes), 65535);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at = directory + count_bytes + i * entry_bytes;
    if (number(at, 2) != tag) continue;
    const std::size_t size = number(at + 2, 2) == TIFF_SHORT ? 2 : 4;
    return static_cast<std::uint32_t>(number(at + (is_wide ? 12 : 8), size));
  }
  return std::nullopt;
}

void TiffFile::check() const {
  if (source_->has_failed || source_->has_ended_early) fail();
}

void TiffFile::fail() const {
  if (source_->has_ended_early) throw Error("it ends early; get it again");
  if (std::string_view(source_->message.data()).find("byte limit") != std::string_view::npos)
    refuse_raster_bytes(max_bytes_);
  throw Error(concat("it is damaged (",
                     source_->has_failed ? source_->message.data() : "data that cannot be",
                     "); get it again"));
}

}  // namespace millrace::detail

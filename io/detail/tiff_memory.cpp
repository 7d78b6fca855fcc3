#include <millrace/io/detail/tiff_memory.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/jpeg_reader.h>

#include <tiffio.h>
#include <algorithm>
#include <array>

namespace millrace::detail {
namespace {

// Bytes in their order; past the end there are zeros, and has_ended() says so.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t next() { return at_ < bytes_.size() ? peek(at_++) : (has_ended_ = true, 0); }
  std::uint64_t big_endian16() {
    const std::uint64_t high = next();
    return high << 8 | next();
  }
  // The first byte is the lowest.
  std::uint64_t little_endian(int count) {
    std::uint64_t value = 0;
    for (int i = 0; i < count; ++i) value |= next() << (8 * i);
    return value;
  }
  // Seven bits a byte, as many bytes as say that more follow.
  std::uint64_t variable() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const std::uint64_t byte = next();
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  void skip(std::uint64_t count) { go_to(count > left() ? bytes_.size() + 1 : at_ + count); }
  void go_to(std::uint64_t at) {
    has_ended_ = has_ended_ || at > bytes_.size();
    at_ = static_cast<std::size_t>(std::min<std::uint64_t>(at, bytes_.size()));
  }
  [[nodiscard]] std::uint64_t at() const noexcept { return at_; }
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
  [[nodiscard]] std::uint64_t peek(std::size_t at) const {
    return std::to_integer<std::uint64_t>(bytes_[at]);
  }

 private:
  [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - at_; }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool has_ended_ = false;
};

// A block's header of the xz format, section 3.1: what its LZMA2 filter has for a dictionary.
std::uint64_t block_dictionary(ByteReader& data, std::uint64_t size_byte) {
  const std::uint64_t end = data.at() - 1 + 4 * (size_byte + 1);
  const std::uint64_t flags = data.next();
  if ((flags & 0x40) != 0) data.variable();
  if ((flags & 0x80) != 0) data.variable();
  std::uint64_t most = 0;
  for (std::uint64_t i = 0; i <= (flags & 3); ++i) {
    constexpr std::uint64_t kLzma2 = 0x21;
    const bool is_lzma2 = data.variable() == kLzma2;
    const std::uint64_t properties = data.variable();
    const std::uint64_t next = data.at() + properties;
    if (is_lzma2) {
      const std::uint64_t bits = data.next() & 0x3F;
      most = std::max(most, (2 | (bits & 1)) << (bits / 2 + 11));
    }
    data.go_to(std::min(next, end));
  }
  data.go_to(end);
  return most;
}

// Passes over a block's data, which are LZMA2's chunks. False if they cannot be.
bool skip_chunks(ByteReader& data) {
  for (;;) {
    const std::uint64_t control = data.next();
    if (data.has_ended()) return false;
    if (control == 0) return true;
    if (control > 2 && control < 0x80) return false;
    const std::uint64_t unpacked = data.big_endian16() + 1;
    if (control <= 2) {
      data.skip(unpacked);
    } else {
      data.skip(data.big_endian16() + 1 + (control >= 0xC0 ? 1 : 0));
    }
  }
}

std::uint64_t xz_dictionary(ByteReader data) {
  constexpr std::array<std::uint64_t, 6> kCheckBytes = {0, 4, 8, 16, 32, 64};
  data.go_to(7);
  const std::uint64_t kind = data.next() & 15;
  const std::uint64_t check = kCheckBytes[(kind + 2) / 3];
  data.go_to(12);
  std::uint64_t most = 0;
  for (;;) {
    const std::uint64_t size_byte = data.next();
    if (data.has_ended() || size_byte == 0) return most;  // 0: the index, after which it ends
    most = std::max(most, block_dictionary(data, size_byte));
    if (!skip_chunks(data)) return most;
    data.go_to((data.at() + 3) / 4 * 4 + check);
  }
}

// A frame's header of the Zstandard format (RFC 8878, 3.1.1.1), of which libtiff reads one.
std::uint64_t zstd_window(ByteReader data) {
  constexpr std::uint64_t kMagic = 0xFD2FB528;
  const std::uint64_t magic = data.little_endian(4);
  if (data.has_ended()) return 0;
  if (magic != kMagic) throw Error("it is damaged (no Zstandard data); get it again");
  const std::uint64_t descriptor = data.next();
  if ((descriptor & 0x20) == 0) {
    const std::uint64_t window = data.next();
    const std::uint64_t base = std::uint64_t{1} << (10 + (window >> 3));
    return base + base / 8 * (window & 7);
  }
  constexpr std::array<int, 4> kDictionaryBytes = {0, 1, 2, 4};
  constexpr std::array<int, 4> kSizeBytes = {1, 2, 4, 8};
  data.skip(static_cast<std::uint64_t>(kDictionaryBytes[descriptor & 3]));
  const std::uint64_t size = data.little_endian(kSizeBytes[descriptor >> 6]);
  return (descriptor >> 6) == 1 ? size + 256 : size;
}

std::uint64_t jpeg_coefficients(std::span<const std::byte> block) {
  try {
    JpegReader reader;
    const JpegHeader header = reader.open(block);
    return header.has_many_scans ? header.coefficient_bytes : 0;
  } catch (const Error&) {
    return 0;  // libtiff says what is wrong with it
  }
}

}  // namespace

std::uint64_t demanded_bytes(std::uint16_t compression, std::span<const std::byte> block) {
  switch (compression) {
    case COMPRESSION_JPEG: return jpeg_coefficients(block);
    case COMPRESSION_LZMA: return xz_dictionary(ByteReader(block));
    case COMPRESSION_ZSTD: {
      constexpr std::uint64_t kMost = std::uint64_t{1} << 27;  // libzstd refuses more
      return std::min(zstd_window(ByteReader(block)), kMost);
    }
    default: return 0;
  }
}

}  // namespace millrace::detail

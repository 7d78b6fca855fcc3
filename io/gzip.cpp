#include <millrace/io/gzip.h>

#include <millrace/core/error.h>
#include <millrace/io/files.h>

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

namespace millrace {
namespace {

/// A gzip stream of which only the length is kept.
class Compressor {
 public:
  Compressor() {
    constexpr int kGzip = 15 + 16, kMemory = 8;  // the largest window with a gzip header
    if (deflateInit2(&stream_, 6, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Compressor() { deflateEnd(&stream_); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  void add(std::span<std::byte> bytes, bool is_last) {
    stream_.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = out_.data();
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int status = deflate(&stream_, is_last ? Z_FINISH : Z_NO_FLUSH);
      MILLRACE_CHECK(status != Z_STREAM_ERROR, "zlib's state is sound");
      size_ += out_.size() - stream_.avail_out;
    } while (stream_.avail_out == 0);
  }
  [[nodiscard]] Bytes size() const noexcept { return {size_}; }

 private:
  z_stream stream_{};
  std::vector<Bytef> out_ = std::vector<Bytef>(1U << 16);
  std::uint64_t size_ = 0;
};

}  // namespace

Bytes gzip_size(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  Compressor compressor;
  std::vector<std::byte> piece(1U << 18);
  std::uint64_t done = 0;
  do {
    const auto count = std::min<std::uint64_t>(piece.size(), file.size() - done);
    const auto bytes = std::span(piece).first(static_cast<std::size_t>(count));
    file.read_at(done, bytes);
    done += count;
    compressor.add(bytes, done == file.size());
  } while (done < file.size());
  return compressor.size();
}

}  // namespace millrace

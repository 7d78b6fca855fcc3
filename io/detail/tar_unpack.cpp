#include <millrace/io/detail/tar_unpack.h>

#include <millrace/io/detail/memory_sanitizer.h>

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <vector>

namespace millrace::detail {
namespace {

/// zlib's state and the two ends of it.
class Unpacker {
 public:
  Unpacker(const RandomAccessFile& file, TemporaryFile& into)
      : file_(file), into_(into), sound_end_(into.size()) {
    constexpr int kGzip = 15 + 16;  // the largest window, a gzip header, its checksum at the end
    if (::inflateInit2(&stream_, kGzip) != Z_OK) throw std::bad_alloc();
    stream_.avail_out = 1;  // nothing waits to be written
  }
  ~Unpacker() { ::inflateEnd(&stream_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  /// A piece more; false at the end, whether the file's or damage.
  bool next() {
    if (stream_.avail_in == 0 && stream_.avail_out > 0 && !read()) return false;
    if (is_between_ && !begin_member()) return true;
    stream_.next_out = out_.data();
    stream_.avail_out = static_cast<uInt>(out_.size());
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    write();
    if (status == Z_STREAM_END) {
      is_between_ = true;
      sound_end_ = into_.size();
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      is_damaged_ = true;
    }
    return !is_damaged_;
  }

  [[nodiscard]] Unpacked result() const {
    const auto damaged = [&](const std::string& why) {
      return concat(file_.path().string(), ": cannot be unpacked (", why, "); get it again");
    };
    const bool is_member = stream_.total_out > 0 || members_ == 0;
    if (is_damaged_ && !is_member) return {sound_end_, damaged("more follows its end")};
    if (is_damaged_) {
      return {sound_end_, damaged(stream_.msg == nullptr ? "damaged" : stream_.msg)};
    }
    if (!is_between_) return {into_.size(), damaged("it ends early")};
    return {sound_end_, {}};
  }

 private:
  bool read() {
    const auto n =
        static_cast<std::size_t>(std::min<std::uint64_t>(in_.size(), file_.size() - at_));
    file_.read_at(at_, std::as_writable_bytes(std::span(in_)).first(n));
    at_ += n;
    stream_.next_in = in_.data();
    stream_.avail_in = static_cast<uInt>(n);
    return n > 0;
  }

  /// Passes over zeros, with which some fill up a file; false where nothing else is left of a
  /// piece.
  bool begin_member() {
    while (stream_.avail_in > 0 && *stream_.next_in == 0) {
      ++stream_.next_in;
      --stream_.avail_in;
    }
    if (stream_.avail_in == 0) {
      stream_.avail_out = 1;
      return false;
    }
    ::inflateReset(&stream_);
    ++members_;
    is_between_ = false;
    return true;
  }

  void write() {
    const std::size_t n = out_.size() - stream_.avail_out;
    written_by_library(out_.data(), n);
    try {
      into_.append(std::as_bytes(std::span(out_)).first(n));
    } catch (const Error& error) {
      throw NoRoom(concat(file_.path().string(), ": no room for what it holds, beyond ",
                          Bytes{into_.size()}, ": ", error.what(),
                          "; name another folder in TMPDIR, or unpack it there where there is "
                          "room"));
    }
  }

  const RandomAccessFile& file_;
  TemporaryFile& into_;
  z_stream stream_{};
  std::vector<Bytef> in_ = std::vector<Bytef>(std::size_t{1} << 16);
  std::vector<Bytef> out_ = std::vector<Bytef>(std::size_t{1} << 18);
  std::uint64_t at_ = 0;  // in the file
  std::uint64_t sound_end_;
  std::uint64_t members_ = 0;  // after the first one
  bool is_between_ = false, is_damaged_ = false;
};

}  // namespace

std::shared_ptr<TemporaryFile> make_temporary(const std::string& name) {
  try {
    return std::make_shared<TemporaryFile>();
  } catch (const Error& error) {
    throw NoRoom(concat(name, ": is compressed, and unpacked first: ", error.what()));
  }
}

Unpacked unpack_gzip(const RandomAccessFile& file, TemporaryFile& into, const Watch& watch) {
  Unpacker unpacker(file, into);
  while (unpacker.next()) watch.at(0);
  return unpacker.result();
}

}  // namespace millrace::detail

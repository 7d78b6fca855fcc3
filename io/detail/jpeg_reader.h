#pragma once
// libjpeg-turbo, a row at a time, with C++ exceptions. libjpeg reports errors by longjmp: each
// call into it has its own setjmp, with no C++ object in between whose destructor would
// be skipped.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace millrace::detail {

struct JpegHeader {
  int height = 0;
  int width = 0;
  int channels = 0;                     ///< of the rows: 1 grey, 3 RGB, 4 CMYK
  bool has_many_scans = false;          ///< progressive: all coefficients are held while decoding
  std::uint64_t coefficient_bytes = 0;  ///< how many, if so
};

/// Reads JPEG files from memory, one after the other, with the accurate integer inverse cosine
/// transform and smooth chroma upsampling, as Pillow does. Errors are Error without the file's
/// name. A file that ends early or whose data cannot be right is an error, not grey pixels; stray
/// bytes are tolerated.
class JpegReader {
 public:
  JpegReader();
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  /// Reads the header. `file` must live until the last row is read.
  JpegHeader open(std::span<const std::byte> file);
  /// Makes one pixel of `denominator` times as many, 1, 2, 4 or 8, rounded up: the header of what
  /// will be read. Requires: open(), not start().
  JpegHeader scale(int denominator);
  /// Starts decoding; for a file of many scans, decodes them. With `wide` RGB comes in four bytes a
  /// pixel, the fourth of no meaning. Requires then: three channels.
  void start(bool wide = false);
  /// The next row: width * channels bytes. CMYK is as stored. A row at a multiple of 32 bytes is
  /// written past the processor's caches. Requires: start(), rows left.
  void read_row(std::uint8_t* row);
  /// Gives back what this file took.
  void close() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace::detail

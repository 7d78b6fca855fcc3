#include "fuzz/harnesses.h"

#include <millrace/io/decode.h>

#include <array>

namespace millrace::test {

void fuzz_decode(Input input) {
  constexpr int kSide = 7;
  const std::vector<std::byte> file = with_png_checksums(input);
  std::array<std::uint8_t, kSide * kSide * 3> pixels{};
  Decoder decoder({.max_pixels = 100'000, .max_scratch = Bytes{1U << 20}});
  survive([&] { (void)image_info(file, "input"); });
  for (const int channels : {1, 3}) {
    survive([&] {
      decoder.decode(file, "input", {pixels.data(), kSide, kSide, channels}, Filter::bilinear);
    });
  }
}

}  // namespace millrace::test

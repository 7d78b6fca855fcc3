#include <millrace/image/pixels.h>

#include <millrace/core/error.h>

#include <cstring>

namespace millrace {
namespace {

constexpr std::uint8_t luma(int red, int green, int blue) {
  return static_cast<std::uint8_t>((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16);
}

// a * b / 255, rounded, without a division.
constexpr int scaled(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

}  // namespace

void convert_row(const std::uint8_t* source, int from, std::uint8_t* target, int to, int width) {
  MILLRACE_CHECK(from >= 1 && from <= 4 && (to == 1 || to == 3), "pixels of ", from,
                 " channels do not become ", to);
  const bool has_colour = from >= 3;
  if (from == to) {
    if (source != target) {
      std::memcpy(target, source, static_cast<std::size_t>(width) * static_cast<std::size_t>(to));
    }
    return;
  }
  for (int x = 0; x < width; ++x, source += from, target += to) {
    if (to == 1) {
      *target = has_colour ? luma(source[0], source[1], source[2]) : source[0];
    } else {
      const std::uint8_t red = source[0];
      const std::uint8_t green = has_colour ? source[1] : red;
      const std::uint8_t blue = has_colour ? source[2] : red;
      target[0] = red;
      target[1] = green;
      target[2] = blue;
    }
  }
}

void convert_cmyk_row(const std::uint8_t* cmyk, bool inverted, std::uint8_t* rgb, int width) {
  const int flip = inverted ? 255 : 0;
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int light = 255 - (cmyk[3] ^ flip);
    for (int channel = 0; channel < 3; ++channel) {
      rgb[channel] = static_cast<std::uint8_t>(light - scaled(cmyk[channel] ^ flip, light));
    }
  }
}

}  // namespace millrace

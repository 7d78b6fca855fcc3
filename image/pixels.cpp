#include <millrace/image/pixels.h>

#include <millrace/core/error.h>

#include <cstring>

namespace millrace {
namespace {

constexpr std::uint8_t luma(int red, int green, int blue) {
  return static_cast<std::uint8_t>((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16);
}

// product / 255, rounded, without a division. Requires: 0 <= product <= 255 * 255.
constexpr int over_255(int product) {
  return (((product + 128) >> 8) + product + 128) >> 8;
}

constexpr int scaled(int a, int b) {
  return over_255(a * b);
}

// Templates, so that the compiler knows the distances between pixels.
template <int kFrom, int kTo>
void compose(const std::uint8_t* source, const Colour& background, std::uint8_t* target,
             int width) {
  const Colour below = background;  // a copy, which no pixel that is written can change
  for (int x = 0; x < width; ++x, source += kFrom, target += kTo) {
    const int alpha = source[kFrom - 1];
    const auto mixed = [alpha](int above, int under) {
      return static_cast<std::uint8_t>(over_255(above * alpha + under * (255 - alpha)));
    };
    const std::uint8_t red = mixed(source[0], below.red);
    const std::uint8_t green = mixed(source[kFrom == 4 ? 1 : 0], below.green);
    const std::uint8_t blue = mixed(source[kFrom == 4 ? 2 : 0], below.blue);
    if constexpr (kTo == 1) {
      target[0] = luma(red, green, blue);
    } else {
      target[0] = red;
      target[1] = green;
      target[2] = blue;
    }
  }
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

void compose_row(const std::uint8_t* source, int from, const Colour& background,
                 std::uint8_t* target, int to, int width) {
  MILLRACE_CHECK((from == 2 || from == 4) && (to == 1 || to == 3), "pixels of ", from,
                 " channels are not put on a colour as ", to);
  if (from == 4) {
    to == 3 ? compose<4, 3>(source, background, target, width)
            : compose<4, 1>(source, background, target, width);
  } else {
    to == 3 ? compose<2, 3>(source, background, target, width)
            : compose<2, 1>(source, background, target, width);
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

TensorView bytes_within(const TensorView& floats) {
  const auto count = static_cast<std::size_t>(floats.as<float>().size());
  return {floats.data + 3 * count, floats.shape, DType::u8};
}

void spread_bytes(const TensorView& floats) {
  const std::uint8_t* from = bytes_within(floats).as<std::uint8_t>().data();
  for (float& value : floats.as<float>()) value = static_cast<float>(*from++);
}

}  // namespace millrace

#include <millrace/image/geometry.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

// One row of a crop. memmove, because a row may be its own source.
void crop_row(ConstImageView source, int y, int left, ImageView target, int target_y,
              std::uint8_t fill) {
  std::uint8_t* const out = target.row(target_y);
  const int begin = std::clamp(-left, 0, target.width);  // columns before it are padding
  const int end = std::clamp(source.width - left, begin, target.width);
  const bool is_inside = y >= 0 && y < source.height && begin < end;
  const auto bytes = [&](int pixels) {
    return static_cast<std::size_t>(pixels) * static_cast<std::size_t>(target.channels);
  };
  if (!is_inside) {
    std::memset(out, fill, target.row_bytes());
    return;
  }
  std::memmove(out + bytes(begin), source.pixel(y, left + begin), bytes(end - begin));
  std::memset(out, fill, bytes(begin));
  std::memset(out + bytes(end), fill, bytes(target.width - end));
}

template <std::size_t kChannels>
void flip_row(std::uint8_t* left, std::uint8_t* right) {
  for (; left < right; left += kChannels, right -= kChannels) {
    for (std::size_t i = 0; i < kChannels; ++i) std::swap(left[i], right[i]);
  }
}

}  // namespace

void flip_horizontal(ImageView image) {
  if (image.width == 0) return;
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* left = image.row(y);
    std::uint8_t* right = image.pixel(y, image.width - 1);
    switch (image.channels) {
      case 1: flip_row<1>(left, right); break;
      case 3: flip_row<3>(left, right); break;
      default:
        for (; left < right; left += image.channels, right -= image.channels) {
          std::swap_ranges(left, left + image.channels, right);
        }
    }
  }
}

CropOrigin draw_crop(Random& random, int height, int width, int padding, int crop_height,
                     int crop_width) {
  const int rows = height + 2 * padding - crop_height;
  const int columns = width + 2 * padding - crop_width;
  if (rows < 0 || columns < 0) {
    throw UsageError(concat("a crop of ", crop_height, "x", crop_width, " does not fit into ",
                            height, "x", width, " pixels with ", padding, " pixels of padding"));
  }
  const auto draw = [&](int n) {
    return static_cast<int>(random.below(static_cast<std::uint64_t>(n) + 1)) - padding;
  };
  const int top = draw(rows);
  return {top, draw(columns)};
}

void crop(ConstImageView source, CropOrigin origin, ImageView target, std::uint8_t fill) {
  MILLRACE_CHECK(source.channels == target.channels, "channels differ: ", source.channels, " and ",
                 target.channels);
  for (int y = 0; y < target.height; ++y) {
    crop_row(source, origin.top + y, origin.left, target, y, fill);
  }
}

void crop_in_place(ImageView image, CropOrigin origin, std::uint8_t fill) {
  // Rows are written in the order in which they are no longer needed as sources.
  const bool downwards = origin.top >= 0;
  for (int i = 0; i < image.height; ++i) {
    const int y = downwards ? i : image.height - 1 - i;
    crop_row(image, origin.top + y, origin.left, image, y, fill);
  }
}

}  // namespace millrace

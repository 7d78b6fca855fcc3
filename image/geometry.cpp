#include <millrace/image/geometry.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

// One row of a crop. A row may be its own source, so the copy is one that minds overlaps.
template <class Sample>
void crop_row(BasicImageView<const Sample> source, int y, int left, BasicImageView<Sample> target,
              int target_y, Sample fill) {
  Sample* const out = target.row(target_y);
  const int begin = std::clamp(-left, 0, target.width);  // columns before it are padding
  const int end = std::clamp(source.width - left, begin, target.width);
  const bool is_inside = y >= 0 && y < source.height && begin < end;
  const auto samples = [&](int pixels) {
    return static_cast<std::size_t>(pixels) * static_cast<std::size_t>(target.channels);
  };
  if (!is_inside) {
    std::fill_n(out, target.row_samples(), fill);
    return;
  }
  std::memmove(out + samples(begin), source.pixel(y, left + begin),
               samples(end - begin) * sizeof(Sample));
  std::fill_n(out, samples(begin), fill);
  std::fill_n(out + samples(end), samples(target.width - end), fill);
}

template <class Sample>
void crop_onto_itself(BasicImageView<Sample> image, CropOrigin origin, Sample fill) {
  // Rows are written in the order in which they are no longer needed as sources.
  const bool downwards = origin.top >= 0;
  for (int i = 0; i < image.height; ++i) {
    const int y = downwards ? i : image.height - 1 - i;
    crop_row<Sample>(image, origin.top + y, origin.left, image, y, fill);
  }
}

template <std::size_t kChannels, class Sample>
void flip_row(Sample* left, Sample* right) {
  for (; left < right; left += kChannels, right -= kChannels) {
    for (std::size_t i = 0; i < kChannels; ++i) std::swap(left[i], right[i]);
  }
}

template <class Sample>
void flip_columns(BasicImageView<Sample> image) {
  if (image.width == 0) return;
  for (int y = 0; y < image.height; ++y) {
    Sample* left = image.row(y);
    Sample* right = image.pixel(y, image.width - 1);
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

template <class Sample>
void flip_rows(BasicImageView<Sample> image) {
  for (int top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom) {
    Sample* const row = image.row(top);
    std::swap_ranges(row, row + image.row_samples(), image.row(bottom));
  }
}

}  // namespace

void flip_horizontal(ImageView image) {
  flip_columns(image);
}
void flip_horizontal(FloatImageView image) {
  flip_columns(image);
}
void flip_vertical(ImageView image) {
  flip_rows(image);
}
void flip_vertical(FloatImageView image) {
  flip_rows(image);
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
    crop_row<std::uint8_t>(source, origin.top + y, origin.left, target, y, fill);
  }
}

void crop_in_place(ImageView image, CropOrigin origin, std::uint8_t fill) {
  crop_onto_itself(image, origin, fill);
}
void crop_in_place(FloatImageView image, CropOrigin origin, float fill) {
  crop_onto_itself(image, origin, fill);
}

}  // namespace millrace

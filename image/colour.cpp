#include <millrace/image/colour.h>

#include <algorithm>
#include <array>

namespace millrace {
namespace {

template <class Sample>
struct Extremes {
  Sample low{}, high{};
};

template <class Sample>
Extremes<Sample> extremes_of(BasicImageView<const Sample> image) {
  Extremes<Sample> found{*image.data, *image.data};
  for (int y = 0; y < image.height; ++y) {
    const Sample* const row = image.row(y);
    for (std::size_t i = 0; i < image.row_samples(); ++i) {
      found.low = std::min(found.low, row[i]);
      found.high = std::max(found.high, row[i]);
    }
  }
  return found;
}

template <class Sample, class Change>
void for_each_sample(BasicImageView<Sample> image, const Change& change) {
  for (int y = 0; y < image.height; ++y) {
    Sample* const row = image.row(y);
    for (std::size_t i = 0; i < image.row_samples(); ++i) row[i] = change(row[i]);
  }
}

float shifted(float value, float by, Extremes<float> within) {
  return std::clamp(value + by, within.low, within.high);
}

// Pillow's blend with black. Requires a value in [0, 256).
float brightened(float value, float factor) {
  const float whole = static_cast<float>(static_cast<int>(value));
  return static_cast<float>(static_cast<int>(std::min(whole * factor, 255.0F)));
}

// By Keras's array_to_img and back, step by step: its roundings in binary32 decide what is
// truncated.
void brighten_stretched(FloatImageView image, float factor, Extremes<float> range) {
  const float spread = range.high - range.low;
  for_each_sample(image, [&](float value) {
    value -= range.low;
    if (spread != 0) value /= spread;
    return brightened(value * 255, factor) / 255 * spread + range.low;
  });
}

}  // namespace

void change_colour(FloatImageView image, const ColourChange& change) {
  if (image.height == 0 || image.width == 0 || change.is_identity()) return;
  Extremes<float> range = extremes_of<float>(image);
  const auto shift = static_cast<float>(change.channel_shift);
  if (shift != 0) {
    for_each_sample(image, [&](float value) { return shifted(value, shift, range); });
    range = {shifted(range.low, shift, range), shifted(range.high, shift, range)};
  }
  if (!change.brightness) return;
  const auto factor = static_cast<float>(*change.brightness);
  if (range.low < 0 || range.high > 255) return brighten_stretched(image, factor, range);
  for_each_sample(image, [&](float value) { return brightened(value, factor); });
}

void change_colour(ImageView image, const ColourChange& change) {
  if (image.height == 0 || image.width == 0 || change.is_identity()) return;
  const Extremes<std::uint8_t> range = extremes_of<std::uint8_t>(image);
  const auto shift = static_cast<float>(change.channel_shift);
  std::array<std::uint8_t, 256> table{};
  for (int value = range.low; value <= range.high; ++value) {
    float result = shifted(static_cast<float>(value), shift, {range.low * 1.0F, range.high * 1.0F});
    if (change.brightness) result = brightened(result, static_cast<float>(*change.brightness));
    table[static_cast<std::size_t>(value)] = static_cast<std::uint8_t>(result + 0.5F);
  }
  for_each_sample(image, [&](std::uint8_t value) { return table[value]; });
}

}  // namespace millrace

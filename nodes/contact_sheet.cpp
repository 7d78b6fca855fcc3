#include <millrace/nodes/contact_sheet.h>

#include <millrace/image/image.h>
#include <millrace/io/png.h>
#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

constexpr int kGap = 2;  // pixels around each sample

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

/// A value of the input as a pixel: factor * value + offset, by channel of the input.
struct Inverse {
  std::vector<double> factor, offset;
};

Inverse undoing(const nn::Preprocessing& p, std::size_t channels) {
  Inverse inverse;
  const auto scale = static_cast<double>(p.scale == 0 ? 1 : p.scale);
  for (std::size_t c = 0; c < channels; ++c) {
    const double deviation = p.deviation.empty() ? 1 : static_cast<double>(p.deviation[c]);
    const double mean = p.mean.empty() ? 0 : static_cast<double>(p.mean[c]);
    inverse.factor.push_back(deviation / scale);
    inverse.offset.push_back(mean / scale);
  }
  return inverse;
}

Inverse stretching(std::span<const float> input, std::size_t channels) {
  const auto [least, greatest] = std::minmax_element(input.begin(), input.end());
  const auto low = static_cast<double>(*least), range = static_cast<double>(*greatest) - low;
  const double factor = range > 0 ? 255 / range : 0;
  return {std::vector<double>(channels, factor), std::vector<double>(channels, -low * factor)};
}

void draw(std::span<const float> input, const ImageView& cell, const Inverse& inverse, bool swaps) {
  const auto channels = static_cast<std::size_t>(cell.channels);
  const float* value = input.data();
  for (int y = 0; y < cell.height; ++y) {
    for (int x = 0; x < cell.width; ++x, value += channels) {
      for (std::size_t c = 0; c < channels; ++c) {
        cell.pixel(y, x)[swaps ? channels - 1 - c : c] =
            to_byte(static_cast<double>(value[c]) * inverse.factor[c] + inverse.offset[c]);
      }
    }
  }
}

}  // namespace

ContactSheet contact_sheet(std::span<const float> inputs, std::int64_t samples, const Shape& sample,
                           const nn::Preprocessing& preprocessing) {
  if (sample.rank() != 3 || (sample[2] != 1 && sample[2] != 3)) {
    throw UsageError(concat("contact sheet: samples of ", sample, " are not images"));
  }
  MILLRACE_CHECK(
      samples >= 1 && static_cast<std::int64_t>(inputs.size()) >= samples * sample.elements(),
      "inputs hold fewer than ", samples, " samples of ", to_string(sample));
  const int height = static_cast<int>(sample[0]), width = static_cast<int>(sample[1]);
  const int columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(samples))));
  const int rows = (static_cast<int>(samples) + columns - 1) / columns;
  ContactSheet sheet{rows * (height + kGap) + kGap,
                     columns * (width + kGap) + kGap,
                     static_cast<int>(sample[2]),
                     {}};
  const std::size_t row_bytes =
      static_cast<std::size_t>(sheet.width) * static_cast<std::size_t>(sheet.channels);
  sheet.pixels.assign(static_cast<std::size_t>(sheet.height) * row_bytes, 255);
  const ImageView page(sheet.pixels.data(), sheet.height, sheet.width, sheet.channels);

  const auto elements = static_cast<std::size_t>(sample.elements());
  const auto channels = static_cast<std::size_t>(sample[2]);
  for (int i = 0; i < static_cast<int>(samples); ++i) {
    const auto input = inputs.subspan(static_cast<std::size_t>(i) * elements, elements);
    const ImageView cell(
        page.pixel(kGap + i / columns * (height + kGap), kGap + i % columns * (width + kGap)),
        height, width, sheet.channels, row_bytes);
    const bool is_lossy = nn::needs_whole_samples(preprocessing);
    draw(input, cell, is_lossy ? stretching(input, channels) : undoing(preprocessing, channels),
         preprocessing.order == nn::ChannelOrder::bgr);
  }
  return sheet;
}

std::vector<std::byte> png_of(const ContactSheet& sheet) {
  return encode_png({sheet.pixels.data(), sheet.height, sheet.width, sheet.channels});
}

}  // namespace millrace

#pragma once
// Changes of colour with the rules of Keras's ImageDataGenerator, in place: channel shift and
// brightness. The parameters of an image are chosen in augmentation.h.

#include <millrace/image/image.h>

#include <optional>

namespace millrace {

/// First the shift, then the brightness.
struct ColourChange {
  double channel_shift = 0;  ///< added to every sample, clipped to the image's own extremes
  /// A factor of 0 or more, applied as Pillow's ImageEnhance.Brightness does to 8-bit images:
  /// samples are truncated, multiplied in binary32, clipped to 255 and truncated again. Samples
  /// outside of 0 to 255 make the image be stretched to that range first and back afterwards.
  std::optional<double> brightness{};

  [[nodiscard]] bool is_identity() const noexcept { return channel_shift == 0 && !brightness; }
};

/// Pure arithmetic on samples in 0 to 255, whatever the number of channels.
void change_colour(FloatImageView image, const ColourChange& change);

/// The same in float, rounded once (halves up): a table of 256 values.
void change_colour(ImageView image, const ColourChange& change);

}  // namespace millrace

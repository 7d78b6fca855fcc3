#pragma once
// Geometry that moves pixels without changing them: mirroring and the padded random crop. Random
// numbers are passed in, so every choice is a function of seed and sample.

#include <millrace/core/random.h>
#include <millrace/image/image.h>

#include <cstdint>

namespace millrace {

/// Mirrors left and right, in place.
void flip_horizontal(ImageView image);
void flip_horizontal(FloatImageView image);

/// Mirrors top and bottom, in place.
void flip_vertical(ImageView image);
void flip_vertical(FloatImageView image);

/// Where a crop begins in the image it is cut from. Negative or too large: the crop shows padding.
struct CropOrigin {
  int top = 0;
  int left = 0;

  friend bool operator==(const CropOrigin&, const CropOrigin&) noexcept = default;
};

/// The padded random crop of torchvision's RandomCrop(size, padding): an image of height x width is
/// surrounded by `padding` pixels, and each window of crop_height x crop_width in it is equally
/// likely. Chooses the row first. Throws UsageError if the window is larger than the padded image.
[[nodiscard]] CropOrigin draw_crop(Random& random, int height, int width, int padding,
                                   int crop_height, int crop_width);

/// Copies the window of target's size that begins at `origin`; pixels outside of `source` become
/// `fill`. Requires: equal channels, memory that does not overlap.
void crop(ConstImageView source, CropOrigin origin, ImageView target, std::uint8_t fill = 0);

/// The same with an image as its own target: the image moves by (-top, -left), and what comes in
/// from outside is `fill`.
void crop_in_place(ImageView image, CropOrigin origin, std::uint8_t fill = 0);
void crop_in_place(FloatImageView image, CropOrigin origin, float fill = 0);

}  // namespace millrace

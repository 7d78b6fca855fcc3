#pragma once
// Samples as a network will see them, side by side in one image, to look at before
// training for hours on images that are grey, wrongly cropped or upside down.

#include <millrace/nn/model.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

struct ContactSheet {
  int height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;  ///< [height][width][channels], RGB or grey
};

/// The first `samples` of `inputs` [N][H][W][C], which are inputs of a model, on a white sheet of
/// about as many rows as columns. Pixels are mapped back to 0..255: scale, mean, deviation and
/// order of channels are undone; where the preprocessing took something from each sample that is
/// not kept (samplewise steps, whitening), a sample is stretched so that its least value is 0 and
/// its greatest 255. Throws UsageError unless samples are images of 1 or 3 channels.
[[nodiscard]] ContactSheet contact_sheet(std::span<const float> inputs, std::int64_t samples,
                                         const Shape& sample,
                                         const nn::Preprocessing& preprocessing);

/// The bytes of its PNG file.
[[nodiscard]] std::vector<std::byte> png_of(const ContactSheet& sheet);

}  // namespace millrace

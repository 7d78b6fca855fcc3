#pragma once
// The options of `millrace train` that say how training images may be changed at random: the
// parameters of Keras's ImageDataGenerator under their own names, with hyphens.

#include "apps/command_line.h"

#include <millrace/image/augmentation.h>

#include <string>

namespace millrace::apps {

struct AugmentationOptions {
  bool flip = false;             ///< the short word for horizontal_flip
  bool horizontal_flip = false;  ///< mirror left and right
  bool vertical_flip = false;
  int crop_padding = 0;
  double rotation_range = 0;
  std::string width_shift_range, height_shift_range;  ///< "0.2", "5", "0,4,8"
  double shear_range = 0;
  std::string zoom_range;  ///< "0.2" or "0.8,1.2"
  double channel_shift_range = 0;
  std::string brightness_range;  ///< "0.5,1.5"
  std::string fill_mode = "nearest";
  double cval = 0;
  int interpolation_order = 1;
  bool keras_compat = false;
};

/// Declares them as a topic of their own.
void declare(CommandLine& line, AugmentationOptions& options);

/// What the node takes. Throws UsageError in one line that names the option, behind `prefix`.
[[nodiscard]] AugmentOptions augment_options(const AugmentationOptions& options,
                                             const std::string& prefix = "train: --");

}  // namespace millrace::apps

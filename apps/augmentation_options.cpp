#include "apps/augmentation_options.h"

#include "apps/lists.h"

#include <millrace/core/error.h>

#include <cmath>
#include <optional>
#include <sstream>
#include <vector>

namespace millrace::apps {
namespace {

[[noreturn]] void refuse(const std::string& option, const char* expected, const std::string& text) {
  throw UsageError(concat(option, " must be ", expected, ", not '", text, '\''));
}

/// "0.5,1.5". Empty where anything is not a number.
std::vector<double> all_numbers(const std::string& text) {
  std::vector<double> numbers;
  for (const std::string& part : words_of(text)) {
    std::istringstream in(part);
    double number = 0;
    char rest = 0;
    if (!(in >> number) || in >> rest) return {};
    numbers.push_back(number);
  }
  return numbers;
}

// As Keras tells them apart by type: a list has a comma, a real number a point or an exponent.
ShiftRange shift_of(const std::string& option, const std::string& text) {
  if (text.empty()) return {};
  const std::vector<double> numbers = all_numbers(text);
  if (numbers.empty()) {
    refuse(option, "a share of the size (0.2), pixels (5) or a list of pixels (0,4,8)", text);
  }
  if (numbers.size() > 1) return ShiftRange(numbers);
  const bool is_whole = text.find_first_of(".eE") == std::string::npos;
  if (is_whole && std::abs(numbers.front()) < 1e6) return static_cast<int>(numbers.front());
  return numbers.front();
}

Interval zoom_of(const std::string& option, const std::string& text) {
  if (text.empty()) return {1, 1};
  const std::vector<double> numbers = all_numbers(text);
  if (numbers.size() == 2) return {numbers[0], numbers[1]};
  if (numbers.size() != 1) refuse(option, "Z, meaning 1-Z to 1+Z, or LOW,HIGH", text);
  if (!(numbers[0] >= 0 && numbers[0] < 1)) {
    refuse(option, "in 0 to 1 (not 1 itself), or LOW,HIGH", text);
  }
  return {1 - numbers[0], 1 + numbers[0]};
}

std::optional<Interval> brightness_of(const std::string& option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::vector<double> numbers = all_numbers(text);
  if (numbers.size() != 2) refuse(option, "LOW,HIGH, such as 0.5,1.5", text);
  return Interval{numbers[0], numbers[1]};
}

Fill fill_of(const std::string& option, const std::string& name) {
  try {
    return fill_from_name(name);
  } catch (const UsageError& error) {
    throw UsageError(concat(option, ": ", error.what()));
  }
}

}  // namespace

void declare(CommandLine& line, AugmentationOptions& o) {
  line.topic("augmentation", "Augmentation of training images");
  line("rotation-range", o.rotation_range, "DEGREES", "rotate by up to so many degrees");
  line("width-shift-range", o.width_shift_range, "X|N|N,N,...",
       "shift to the left or right: 0.2 by up to a fifth of the width, 5 by up to 5 pixels, 0,4,8 "
       "by one of these, either way");
  line("height-shift-range", o.height_shift_range, "X|N|N,N,...", "the same up or down");
  line("shear-range", o.shear_range, "DEGREES", "lean columns by up to so many degrees");
  line("zoom-range", o.zoom_range, "X|LOW,HIGH",
       "scale rows and columns, each by a factor of its own: 0.2 for 0.8 to 1.2; below 1 enlarges");
  line("channel-shift-range", o.channel_shift_range, "X",
       "add a number of up to X, of 255, to all channels");
  line("brightness-range", o.brightness_range, "LOW,HIGH", "multiply by a factor");
  line("flip", o.flip, "", "mirror left and right, with probability 0.5");
  line("horizontal-flip", o.horizontal_flip, "", "the same");
  line("vertical-flip", o.vertical_flip, "", "mirror top and bottom, with probability 0.5");
  line("fill-mode", o.fill_mode, "NAME",
       "what comes in from outside: nearest (default), constant, reflect, wrap");
  line("cval", o.cval, "X", "of --fill-mode constant, in 0 to 255; default 0");
  line("interpolation-order", o.interpolation_order, "0|1",
       "0: the nearest pixel, 1: bilinear (default)");
  line("keras-compat", o.keras_compat, "",
       "shifts, centre, wrap and whole-number shifts exactly as Keras has them, and the steps of "
       "pruning as tfmot counts them");
  line("crop-padding", o.crop_padding, "N",
       "pad by N pixels on each side and crop back at a random place");
}

AugmentOptions augment_options(const AugmentationOptions& o, const std::string& prefix) {
  AugmentOptions options{
      .horizontal_flip = o.flip || o.horizontal_flip,
      .crop_padding = o.crop_padding,
      .vertical_flip = o.vertical_flip,
      .rotation_range = o.rotation_range,
      .width_shift_range = shift_of(prefix + "width-shift-range", o.width_shift_range),
      .height_shift_range = shift_of(prefix + "height-shift-range", o.height_shift_range),
      .shear_range = o.shear_range,
      .zoom_range = zoom_of(prefix + "zoom-range", o.zoom_range),
      .channel_shift_range = o.channel_shift_range,
      .brightness_range = brightness_of(prefix + "brightness-range", o.brightness_range),
      .fill_mode = fill_of(prefix + "fill-mode", o.fill_mode),
      .cval = o.cval,
      .interpolation_order = o.interpolation_order,
      .keras_compat = o.keras_compat};
  check(options, prefix);
  return options;
}

}  // namespace millrace::apps

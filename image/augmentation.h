#pragma once
// What may be chosen for a training image: the ranges of Keras's ImageDataGenerator under Keras's
// names, and the padded random crop. draw_transform() is a pure function of seed, pass and
// position, so that threads and other options do not affect an image's change.

#include <millrace/image/geometry.h>
#include <millrace/image/later_change.h>
#include <millrace/image/random_erasing.h>
#include <millrace/image/transform.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

namespace millrace {

/// How far an image may be shifted along an axis, distinguished by type as in Keras:
///   .width_shift_range = 0.2         up to a fifth of the width; from 1.0 on up to this many
///   pixels .width_shift_range = 5           -5, -4, ..., 5 pixels, equally likely
///   .width_shift_range = {0, 4, 8}   one of these with a random sign; fractions if all are below 1
struct ShiftRange {
  enum class Kind : std::uint8_t { real, whole, list };

  ShiftRange() = default;
  ShiftRange(double range) : most(range) {}  // NOLINT(google-explicit-constructor)
  ShiftRange(int pixels)                     // NOLINT(google-explicit-constructor)
      : kind(Kind::whole), most(pixels) {}
  ShiftRange(std::initializer_list<double> choices) : ShiftRange(std::vector<double>(choices)) {}
  explicit ShiftRange(std::vector<double> choices) : kind(Kind::list), list(std::move(choices)) {}

  Kind kind = Kind::real;
  double most = 0;           ///< unless it is a list
  std::vector<double> list;  ///< if it is

  /// Nothing is ever shifted.
  [[nodiscard]] bool is_zero() const noexcept { return kind != Kind::list && most == 0; }
};

struct AugmentOptions {
  bool horizontal_flip = false;  ///< mirrored left and right, with probability 0.5
  /// Surrounded by this many pixels of `fill` on each side, then cut back to size at a random place
  /// (torchvision's RandomCrop(size, padding)). 0: not. Done before everything else.
  int crop_padding = 0;
  std::uint8_t fill = 0;
  bool vertical_flip = false;                  ///< mirrored top and bottom, with probability 0.5
  double rotation_range = 0;                   ///< degrees, to either side
  ShiftRange width_shift_range{};              ///< to the left or right
  ShiftRange height_shift_range{};             ///< up or down
  double shear_range = 0;                      ///< degrees, to either side
  Interval zoom_range{1, 1};                   ///< factors, one for columns and one for rows
  double channel_shift_range = 0;              ///< in 0 to 255, to either side
  std::optional<Interval> brightness_range{};  ///< factors
  Fill fill_mode = Fill::nearest;              ///< what comes in from outside
  double cval = 0;                             ///< in 0 to 255, of Fill::constant
  int interpolation_order = 1;                 ///< 0: the nearest pixel, 1: bilinear
  /// Exactly what Keras 2.9 to 3 do: shifts exchanged, the centre of images that are not
  /// square, wrap with a period of size - 1, whole numbers k as one of 0..k-1 with a random sign.
  bool keras_compat = false;
  RandomErasing erasing{};
  /// How many changes of each sample there are, drawn by its number in the data set and used in
  /// turn, one a pass; 0: new ones in each pass, by its position there.
  std::uint32_t views = 0;

  /// Nothing ever changes.
  [[nodiscard]] bool is_identity() const noexcept;
  /// Some images may be resampled.
  [[nodiscard]] bool is_affine() const noexcept;
};

/// What follows all of the above, in this order.
inline constexpr std::tuple kLaterChanges{&AugmentOptions::erasing};

/// Calls use(change) with each of them, as the options have it.
template <class Use>
void for_each_later(const AugmentOptions& options, Use&& use) {
  std::apply([&](auto... changes) { (use(options.*changes), ...); }, kLaterChanges);
}

/// Throws UsageError with one line: `prefix`, the option with hyphens, what it must be, what it is.
void check(const AugmentOptions& options, std::string_view prefix = "augment: ");

/// The padded crop and flips alone: they move pixels and change none.
[[nodiscard]] bool only_moves(const AugmentOptions& options) noexcept;
/// Where the crop of an image begins; {0, 0} without one.
[[nodiscard]] CropOrigin draw_crop(const AugmentOptions& options, int height, int width,
                                   RandomKey key);

/// What an image of height x width gets, less the crop and the later changes. Each operation has
/// random numbers of its own: adding one to the options changes no other's.
[[nodiscard]] Transform draw_transform(const AugmentOptions& options, int height, int width,
                                       RandomKey key);

}  // namespace millrace

#include <millrace/image/augmentation.h>

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

constexpr double kMostDegrees = 360, kMostPixels = 1e6, kMostZoom = 1e3, kMostBrightness = 255;

// Every shift takes two numbers whatever its kind, so that one axis does not change the other's.
double draw_shift(const ShiftRange& range, int size, bool keras_compat, Random& random) {
  const double chosen = random.uniform(), coin = random.uniform();
  const double sign = coin < 0.5 ? -1 : 1;
  switch (range.kind) {
    case ShiftRange::Kind::real: return (2 * chosen - 1) * range.most * (range.most < 1 ? size : 1);
    case ShiftRange::Kind::whole:
      return keras_compat ? sign * std::floor(chosen * range.most)
                          : std::floor(chosen * (2 * range.most + 1)) - range.most;
    case ShiftRange::Kind::list: break;
  }
  const auto place = static_cast<std::size_t>(chosen * static_cast<double>(range.list.size()));
  const double most = *std::max_element(range.list.begin(), range.list.end());
  return sign * range.list[place] * (most < 1 ? size : 1);
}

void check_shift(const AugmentChecker& must, const char* option, const ShiftRange& shift) {
  if (shift.kind == ShiftRange::Kind::list && shift.list.empty()) {
    throw UsageError(concat(must.prefix, option, ": the list is empty"));
  }
  must.range(option, shift.most, kMostPixels, "0 or more (below 1: of the size, else pixels)");
  for (const double one : shift.list) {
    if (!AugmentChecker::is_within(one, -kMostPixels, kMostPixels)) {
      must.refuse(option, "a list of pixels", one);
    }
  }
}

}  // namespace

bool AugmentOptions::is_affine() const noexcept {
  return rotation_range != 0 || !width_shift_range.is_zero() || !height_shift_range.is_zero() ||
         shear_range != 0 || zoom_range.low != 1 || zoom_range.high != 1;
}

bool AugmentOptions::is_identity() const noexcept {
  bool is_later_identity = true;
  for_each_later(*this, [&](const auto& change) {
    is_later_identity = is_later_identity && change.is_identity();
  });
  return !horizontal_flip && !vertical_flip && crop_padding == 0 && !is_affine() &&
         channel_shift_range == 0 && !brightness_range && is_later_identity;
}

void check(const AugmentOptions& o, std::string_view prefix) {
  const AugmentChecker must{prefix};
  must.range("rotation-range", o.rotation_range, kMostDegrees, "in 0 to 360 degrees");
  check_shift(must, "width-shift-range", o.width_shift_range);
  check_shift(must, "height-shift-range", o.height_shift_range);
  must.range("shear-range", o.shear_range, kMostDegrees, "in 0 to 360 degrees");
  must.interval("zoom-range", o.zoom_range, kMostZoom);
  if (!(o.zoom_range.low > 0)) must.refuse("zoom-range", "above 0", o.zoom_range.low);
  must.range("channel-shift-range", o.channel_shift_range, 255, "in 0 to 255");
  if (o.brightness_range) {
    must.interval("brightness-range", *o.brightness_range, kMostBrightness);
    if (o.brightness_range->low < 0) {
      must.refuse("brightness-range", "0 or more", o.brightness_range->low);
    }
  }
  must.range("cval", o.cval, 255, "in 0 to 255");
  if (o.interpolation_order != 0 && o.interpolation_order != 1) {
    must.refuse("interpolation-order", "0 (nearest pixel) or 1 (bilinear)", o.interpolation_order);
  }
  if (o.crop_padding < 0) must.refuse("crop-padding", "0 or more", o.crop_padding);
  for_each_later(o, [&](const auto& change) { change.check(must); });
}

bool only_moves(const AugmentOptions& options) noexcept {
  AugmentOptions rest = options;
  rest.horizontal_flip = rest.vertical_flip = false;
  rest.crop_padding = 0;
  return rest.is_identity();
}

CropOrigin draw_crop(const AugmentOptions& options, int height, int width, RandomKey key) {
  if (options.crop_padding == 0) return {};
  Random random = key.random(Purpose::crop);
  return draw_crop(random, height, width, options.crop_padding, height, width);
}

Transform draw_transform(const AugmentOptions& o, int height, int width, RandomKey key) {
  const auto random = [key](Purpose purpose) { return key.random(purpose); };
  const auto around_zero = [&](double range, Purpose purpose) {
    return range == 0 ? 0.0 : random(purpose).uniform(-range, range);
  };
  Random shift = random(Purpose::shift), zoom = random(Purpose::zoom);
  Transform t;
  t.affine.theta = around_zero(o.rotation_range, Purpose::rotation);
  t.affine.tx = draw_shift(o.height_shift_range, height, o.keras_compat, shift);
  t.affine.ty = draw_shift(o.width_shift_range, width, o.keras_compat, shift);
  t.affine.shear = around_zero(o.shear_range, Purpose::shear);
  t.affine.zx = zoom.uniform(o.zoom_range.low, o.zoom_range.high);
  t.affine.zy = zoom.uniform(o.zoom_range.low, o.zoom_range.high);
  t.flips.horizontal = o.horizontal_flip && random(Purpose::flip).coin(0.5);
  t.flips.vertical = o.vertical_flip && random(Purpose::vertical_flip).coin(0.5);
  t.colour.channel_shift = around_zero(o.channel_shift_range, Purpose::channel_shift);
  if (o.brightness_range) {
    t.colour.brightness =
        random(Purpose::brightness).uniform(o.brightness_range->low, o.brightness_range->high);
  }
  return t;
}

}  // namespace millrace

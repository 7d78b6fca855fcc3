#pragma once
// Random erasing of Zhong et al., "Random erasing data augmentation", 2017, with the ranges and the
// tries of torchvision's RandomErasing: a rectangle of the image becomes one value.

#include <millrace/image/later_change.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>

namespace millrace {

struct RandomErasing {
  double probability = 0;     ///< of an image's being changed
  Interval area{0.02, 0.33};  ///< shares of the image's area
  Interval aspect{0.3, 3.3};  ///< height over width, evenly by their logarithms
  double value = 0;           ///< in 0 to 255, of all channels

  struct Rectangle {
    int top = 0, left = 0, height = 0, width = 0;
  };

  [[nodiscard]] bool is_identity() const noexcept { return probability == 0; }

  void check(const AugmentChecker& must) const {
    must.range("erase-probability", probability, 1, "in 0 to 1");
    must.interval("erase-area", area, 1);
    if (area.low < 0) must.refuse("erase-area", "0 or more", area.low);
    must.interval("erase-aspect", aspect, kMostAspect);
    if (!(aspect.low > 0)) must.refuse("erase-aspect", "above 0", aspect.low);
    must.range("erase-value", value, 255, "in 0 to 255");
  }

  /// What of an image of that size is erased; of ten rectangles the first that has a pixel and is
  /// less high and less wide than the image. Nothing if there is none.
  [[nodiscard]] std::optional<Rectangle> draw(int height, int width, const RandomKey& key) const {
    Random random = key.random(Purpose::erasing);
    if (!random.coin(probability)) return std::nullopt;
    const double pixels = static_cast<double>(height) * static_cast<double>(width);
    for (int tries = 0; tries < 10; ++tries) {
      const double size = pixels * random.uniform(area.low, area.high);
      const double ratio = std::exp(random.uniform(std::log(aspect.low), std::log(aspect.high)));
      const double rows = std::round(std::sqrt(size * ratio));
      const double columns = std::round(std::sqrt(size / ratio));
      if (rows < 1 || columns < 1 || rows >= height || columns >= width) continue;
      const auto place = [&random](int from) {
        return static_cast<int>(random.below(static_cast<std::uint64_t>(from) + 1));
      };
      Rectangle chosen{.height = static_cast<int>(rows), .width = static_cast<int>(columns)};
      chosen.top = place(height - chosen.height);
      chosen.left = place(width - chosen.width);
      return chosen;
    }
    return std::nullopt;
  }

  template <class Sample>
  void operator()(BasicImageView<Sample> image, const RandomKey& key) const {
    const auto chosen = draw(image.height, image.width, key);
    if (!chosen) return;
    const double rounded = std::is_integral_v<Sample> ? std::round(value) : value;
    for (int y = chosen->top; y < chosen->top + chosen->height; ++y) {
      std::fill(image.pixel(y, chosen->left), image.pixel(y, chosen->left + chosen->width),
                static_cast<Sample>(rounded));
    }
  }

 private:
  static constexpr double kMostAspect = 1e3;
};

}  // namespace millrace

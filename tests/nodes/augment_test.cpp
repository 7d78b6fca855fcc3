#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/augment.h>

#include <algorithm>
#include <optional>

using namespace millrace;

namespace {

constexpr std::size_t kSide = 4;
using Image = std::vector<std::uint8_t>;

Image image(std::uint32_t index) {
  Image pixels(kSide * kSide);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = Numbered::pixel(index, i);
  return pixels;
}

/// `image` moved so that (top, left) comes to the corner, zeros around it.
Image moved(const Image& from, int top, int left) {
  Image to(from.size(), 0);
  const int side = kSide;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int source_y = y + top, source_x = x + left;
      if (source_y < 0 || source_y >= side || source_x < 0 || source_x >= side) continue;
      to[static_cast<std::size_t>(y * side + x)] =
          from[static_cast<std::size_t>(source_y * side + source_x)];
    }
  }
  return to;
}

Image mirrored(Image pixels) {
  for (auto row = pixels.begin(); row != pixels.end(); row += kSide) std::reverse(row, row + kSide);
  return pixels;
}

template <class Sample>
std::vector<std::vector<Sample>> augmented_as(const AugmentOptions& options, std::uint64_t seed,
                                              std::uint32_t samples, Phase phase,
                                              std::uint32_t pass) {
  Budget budget;
  Pool<HostBatch> pool(
      "host", 1,
      HostBatchFactory{.sample = {4, 4, 1}, .dtype = dtype_of<Sample>(), .capacity = samples},
      budget);
  const Lease<HostBatch> batch = pool.try_acquire();
  batch->size = samples;
  batch->tag.phase = phase;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const Image pixels = image(i);
    std::copy(pixels.begin(), pixels.end(), batch->row(i).as<Sample>().begin());
    batch->valid[i] = 1;
    batch->positions[i] = i;
    batch->passes[i] = pass;
  }
  Augment(options, seed)({batch, 0, samples});
  std::vector<std::vector<Sample>> images;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const auto pixels = batch->row(i).as<Sample>();
    images.emplace_back(pixels.begin(), pixels.end());
  }
  return images;
}

std::vector<Image> augmented(const AugmentOptions& options, std::uint64_t seed,
                             std::uint32_t samples, Phase phase = Phase::training,
                             std::uint32_t pass = 0) {
  return augmented_as<std::uint8_t>(options, seed, samples, phase, pass);
}

const AugmentOptions kEverything = {.horizontal_flip = true,
                                    .crop_padding = 1,
                                    .vertical_flip = true,
                                    .rotation_range = 40,
                                    .width_shift_range = 0.2,
                                    .height_shift_range = 1,
                                    .shear_range = 10,
                                    .zoom_range = {0.8, 1.2},
                                    .channel_shift_range = 20,
                                    .brightness_range = Interval{0.5, 1.5},
                                    .fill_mode = Fill::reflect,
                                    .erasing = {.probability = 0.5, .area = {0.1, 0.5}}};

}  // namespace

TEST_CASE("about half of the images are mirrored, the others left alone") {
  const auto images = augmented({.horizontal_flip = true}, 3, 400);
  int flips = 0;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const bool is_flipped = images[i] == mirrored(image(i));
    CHECK((is_flipped || images[i] == image(i)));
    flips += is_flipped ? 1 : 0;
  }
  CHECK(flips > 150);  // 200 +- 5 standard deviations of 10
  CHECK(flips < 250);
}

TEST_CASE("a padded crop moves the image by up to the padding, to each place about equally often") {
  const auto images = augmented({.crop_padding = 1}, 3, 900);
  std::vector<int> places(9);
  for (std::uint32_t i = 0; i < 900; ++i) {
    std::optional<std::size_t> place;
    for (std::size_t p = 0; p < 9 && !place; ++p) {
      const int top = static_cast<int>(p / 3) - 1, left = static_cast<int>(p % 3) - 1;
      if (images[i] == moved(image(i), top, left)) place = p;
    }
    REQUIRE(place);
    ++places[*place];
  }
  for (const int count : places) {
    CHECK(count > 50);  // 100 +- 5 standard deviations of 9.4
    CHECK(count < 150);
  }
}

TEST_CASE("what is drawn depends on seed, pass and position, and on nothing else") {
  const AugmentOptions both =
      GENERATE(AugmentOptions{.horizontal_flip = true, .crop_padding = 1}, kEverything);
  CHECK(augmented(both, 1, 64) == augmented(both, 1, 64));
  CHECK(augmented(both, 1, 64) != augmented(both, 2, 64));
  CHECK(augmented(both, 1, 64) != augmented(both, 1, 64, Phase::training, 1));
  const auto more = augmented(both, 1, 128);
  CHECK(std::equal(more.begin(), more.begin() + 64, augmented(both, 1, 64).begin()));
}

TEST_CASE("validation images are never changed") {
  const auto images = augmented(kEverything, 1, 32, Phase::validation);
  for (std::uint32_t i = 0; i < 32; ++i) CHECK(images[i] == image(i));
}

TEST_CASE("images of floats get the same change as 8-bit ones, unrounded") {
  const auto rounded = augmented(kEverything, 5, 200);
  const auto exact = augmented_as<float>(kEverything, 5, 200, Phase::training, 0);
  int fractions = 0;
  bool agrees = true;
  for (std::size_t i = 0; i < 200; ++i) {
    for (std::size_t k = 0; k < kSide * kSide; ++k) {
      agrees = agrees && rounded[i][k] == static_cast<std::uint8_t>(exact[i][k] + 0.5F);
    }
  }
  CHECK(agrees);
  AugmentOptions geometry = kEverything;
  geometry.brightness_range.reset();  // which makes whole numbers
  for (const auto& image : augmented_as<float>(geometry, 5, 50, Phase::training, 0)) {
    for (const float value : image) fractions += value != static_cast<float>(int(value)) ? 1 : 0;
  }
  CHECK(fractions > 500);
}

TEST_CASE("an image gets what is drawn for its seed, pass and position, in Keras's order") {
  AugmentOptions options = kEverything;
  options.crop_padding = 0;
  options.erasing = {};
  const auto images = augmented(options, 9, 40, Phase::training, 3);
  for (std::uint32_t i = 0; i < 40; ++i) {
    Image expected = image(i);
    Transformer({.fill = Fill::reflect})
        .apply(draw_transform(options, kSide, kSide, {9, 3, i}),
               ImageView(expected.data(), kSide, kSide, 1));
    CHECK(images[i] == expected);
  }
}

TEST_CASE("a rectangle is erased after all else, which is drawn as without it") {
  AugmentOptions before = kEverything, erased = kEverything;
  before.erasing = {};
  erased.erasing.value = 200;
  const auto expected = augmented(before, 9, 200), images = augmented(erased, 9, 200);
  std::uint32_t changed = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    Image image = expected[i];
    erased.erasing(ImageView(image.data(), kSide, kSide, 1), {9, 0, i});
    CHECK(images[i] == image);
    changed += images[i] != expected[i] ? 1 : 0;
  }
  CHECK(changed > 60);  // 100 +- 5 standard deviations of 7; some are 200 already
  CHECK(changed < 136);
}

TEST_CASE("options that change nothing leave images alone, to the bit") {
  const auto images = augmented({.zoom_range = {1, 1}, .fill_mode = Fill::wrap}, 1, 32);
  for (std::uint32_t i = 0; i < 32; ++i) CHECK(images[i] == image(i));
}

TEST_CASE("scratch memory is known before the run, and none without geometry") {
  CHECK(Augment({.horizontal_flip = true}, 1, {150, 150, 3}).scratch() == Bytes{});
  const Bytes scratch = Augment({.rotation_range = 10}, 1, {150, 150, 3}).scratch();
  CHECK(scratch > 600_KiB);  // four floats a pixel for the source, three for colours behind it
  CHECK(scratch < 700_KiB);
}

TEST_CASE("a negative padding is refused") {
  CHECK_THROWS_WITH(Augment({.crop_padding = -1}, 0),
                    "augment: crop-padding must be 0 or more, not -1");
}

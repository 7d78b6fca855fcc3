#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/augment.h>

#include <algorithm>
#include <optional>

using namespace millrace;

namespace {

constexpr std::size_t kSide = 4;
using Picture = std::vector<std::uint8_t>;

Picture picture(std::uint32_t index) {
  Picture pixels(kSide * kSide);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = Numbered::pixel(index, i);
  return pixels;
}

/// `picture` moved so that (top, left) comes to the corner, zeros around it.
Picture moved(const Picture& from, int top, int left) {
  Picture to(from.size(), 0);
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

Picture mirrored(Picture pixels) {
  for (auto row = pixels.begin(); row != pixels.end(); row += kSide) std::reverse(row, row + kSide);
  return pixels;
}

std::vector<Picture> augmented(AugmentOptions options, std::uint64_t seed, std::uint32_t samples,
                               Phase phase = Phase::training, std::uint32_t pass = 0) {
  Budget budget;
  Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = samples},
                       budget);
  const Lease<HostBatch> batch = pool.try_acquire();
  batch->size = samples;
  batch->tag.phase = phase;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const Picture pixels = picture(i);
    std::copy(pixels.begin(), pixels.end(), batch->row(i).as<std::uint8_t>().begin());
    batch->valid[i] = 1;
    batch->draws[i] = i;
    batch->passes[i] = pass;
  }
  Augment(options, seed)({batch, 0, samples});
  std::vector<Picture> pictures;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const auto pixels = batch->row(i).as<std::uint8_t>();
    pictures.emplace_back(pixels.begin(), pixels.end());
  }
  return pictures;
}

}  // namespace

TEST_CASE("about half of the pictures are mirrored, the others left alone") {
  const auto pictures = augmented({.horizontal_flip = true}, 3, 400);
  int flips = 0;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const bool is_flipped = pictures[i] == mirrored(picture(i));
    CHECK((is_flipped || pictures[i] == picture(i)));
    flips += is_flipped ? 1 : 0;
  }
  CHECK(flips > 150);  // 200 +- 5 standard deviations of 10
  CHECK(flips < 250);
}

TEST_CASE(
    "a padded crop moves the picture by up to the padding, to each place about equally often") {
  const auto pictures = augmented({.crop_padding = 1}, 3, 900);
  std::vector<int> places(9);
  for (std::uint32_t i = 0; i < 900; ++i) {
    std::optional<std::size_t> place;
    for (std::size_t p = 0; p < 9 && !place; ++p) {
      const int top = static_cast<int>(p / 3) - 1, left = static_cast<int>(p % 3) - 1;
      if (pictures[i] == moved(picture(i), top, left)) place = p;
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
  const AugmentOptions both{.horizontal_flip = true, .crop_padding = 1};
  CHECK(augmented(both, 1, 64) == augmented(both, 1, 64));
  CHECK(augmented(both, 1, 64) != augmented(both, 2, 64));
  CHECK(augmented(both, 1, 64) != augmented(both, 1, 64, Phase::training, 1));
  const auto more = augmented(both, 1, 128);
  CHECK(std::equal(more.begin(), more.begin() + 64, augmented(both, 1, 64).begin()));
}

TEST_CASE("validation pictures are never changed") {
  const auto pictures =
      augmented({.horizontal_flip = true, .crop_padding = 2}, 1, 32, Phase::validation);
  for (std::uint32_t i = 0; i < 32; ++i) CHECK(pictures[i] == picture(i));
}

TEST_CASE("a negative padding is refused") {
  CHECK_THROWS_WITH(Augment({.crop_padding = -1}, 0), "crop padding: must be 0 or more, not -1");
}

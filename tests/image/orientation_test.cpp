// Expected places come from the words of the EXIF standard (CIPA DC-008, tag 274).

#include <millrace/image/orientation.h>

#include "catch.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

using namespace millrace;

namespace {

using Pixels = std::vector<std::uint8_t>;

// "The 0th row is at the visual ..., and the 0th column is the visual ..."
constexpr std::array<std::pair<const char*, const char*>, 8> kSides = {{{"top", "left"},
                                                                        {"top", "right"},
                                                                        {"bottom", "right"},
                                                                        {"bottom", "left"},
                                                                        {"left", "top"},
                                                                        {"right", "top"},
                                                                        {"right", "bottom"},
                                                                        {"left", "bottom"}}};

struct Shown {
  int height = 0, width = 0;
  Pixels pixels;
};

// Pixel by pixel: a stored row lies at a distance from the side of row 0, a column from that of
// column 0.
Shown shown(ConstImageView source, int orientation) {
  const auto [row_side, column_side] = kSides[static_cast<std::size_t>(orientation - 1)];
  const bool swaps = row_side == std::string("left") || row_side == std::string("right");
  Shown image{swaps ? source.width : source.height, swaps ? source.height : source.width, {}};
  image.pixels.resize(source.row_samples() * static_cast<std::size_t>(source.height));
  const ImageView view(image.pixels.data(), image.height, image.width, source.channels);
  for (int row = 0; row < source.height; ++row) {
    for (int column = 0; column < source.width; ++column) {
      int y = 0, x = 0;
      for (const auto& [side, distance] :
           {std::pair{std::string(row_side), row}, std::pair{std::string(column_side), column}}) {
        if (side == "top") y = distance;
        if (side == "bottom") y = image.height - 1 - distance;
        if (side == "left") x = distance;
        if (side == "right") x = image.width - 1 - distance;
      }
      std::copy_n(source.pixel(row, column), source.channels, view.pixel(y, x));
    }
  }
  return image;
}

// Rows with a gap behind each, which is not of the image.
Pixels stored(int height, std::size_t stride) {
  Pixels pixels(static_cast<std::size_t>(height) * stride);
  std::uint32_t state = 17;
  for (std::uint8_t& value : pixels) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(state >> 24);
  }
  return pixels;
}

Pixels row_of(OrientedRows& rows, int y, int channels) {
  const std::uint8_t* const row = rows.row(y);
  return {row, row + rows.width() * channels};
}

Pixels expected_row(const Shown& image, int y, int channels) {
  const auto begin = image.pixels.begin() + y * image.width * channels;
  return {begin, begin + image.width * channels};
}

constexpr std::array<std::pair<int, int>, 7> kSizes = {
    {{1, 1}, {1, 9}, {9, 1}, {5, 7}, {33, 65}, {64, 32}, {101, 70}}};

}  // namespace

TEST_CASE("all eight orientations put each pixel where the EXIF standard shows it") {
  OrientedRows rows;  // one for all, as a decoder has it
  for (const auto& [height, width] : kSizes) {
    for (int channels = 1; channels <= 4; ++channels) {
      const auto stride = static_cast<std::size_t>(width * channels) + 5;
      const Pixels pixels = stored(height, stride);
      const ConstImageView source(pixels.data(), height, width, channels, stride);
      for (int orientation = 1; orientation <= 8; ++orientation) {
        INFO(height << 'x' << width << 'x' << channels << " orientation " << orientation);
        const Shown image = shown(source, orientation);
        rows.begin(source, orientation);
        CHECK(rows.height() == image.height);
        CHECK(rows.width() == image.width);
        CHECK(swaps_axes(orientation) == (orientation >= 5));
        for (int y = 0; y < image.height; ++y) {
          REQUIRE(row_of(rows, y, channels) == expected_row(image, y, channels));
        }
      }
    }
  }
}

TEST_CASE("rows of an oriented image may be asked for in any order") {
  constexpr int kHeight = 40, kWidth = 101, kChannels = 3;
  const Pixels pixels = stored(kHeight, kWidth * kChannels);
  const ConstImageView source(pixels.data(), kHeight, kWidth, kChannels);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Shown image = shown(source, orientation);
    OrientedRows rows;
    rows.begin(source, orientation);
    for (int i = 0; i < image.height; ++i) {
      const int y = image.height - 1 - i * 37 % image.height;
      INFO("orientation " << orientation << " row " << y);
      REQUIRE(row_of(rows, y, kChannels) == expected_row(image, y, kChannels));
    }
  }
}

TEST_CASE("an oriented image takes a band of its rows and no second copy of it") {
  OrientedRows rows;
  for (const auto& [height, width] : {std::pair{1000, 700}, std::pair{700, 1000}}) {
    const Pixels pixels = stored(height, static_cast<std::size_t>(width) * 3);
    for (int orientation = 1; orientation <= 8; ++orientation) {
      INFO(height << 'x' << width << " orientation " << orientation);
      const Bytes planned = OrientedRows::planned_bytes(height, width, 3, orientation);
      CHECK(planned.count <= 32U * 1000 * 3);
      OrientedRows fresh;
      fresh.begin({pixels.data(), height, width, 3}, orientation);
      CHECK(fresh.scratch_bytes().count == planned.count);
      rows.begin({pixels.data(), height, width, 3}, orientation);
      CHECK(rows.scratch_bytes().count <= 32U * 1000 * 3);
    }
  }
}

TEST_CASE("a row is mirrored pixel by pixel") {
  const Pixels row = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  Pixels mirrored(row.size());
  mirror_row(row.data(), 4, 3, mirrored.data());
  CHECK(mirrored == Pixels{10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3});
  mirror_row(row.data(), 6, 2, mirrored.data());
  CHECK(mirrored == Pixels{11, 12, 9, 10, 7, 8, 5, 6, 3, 4, 1, 2});
}

TEST_CASE("an orientation that is none is a broken contract") {
  const Pixels pixels(4);
  OrientedRows rows;
  for (const int orientation : {0, 9, -1}) {
    CHECK_THROWS(rows.begin({pixels.data(), 2, 2, 1}, orientation));
  }
}

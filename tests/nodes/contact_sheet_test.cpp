#include "catch.h"

#include <millrace/io/decode.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/contact_sheet.h>

#include <array>

using namespace millrace;

namespace {

/// What Cast makes of the pixel (r, g, b), in double.
std::vector<float> input_of(const nn::Preprocessing& p, std::vector<double> pixels) {
  std::vector<float> input;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::size_t c = i % 3;
    const bool swaps = p.order == nn::ChannelOrder::bgr;
    const double pixel = pixels[swaps ? i - c + 2 - c : i] * static_cast<double>(p.scale);
    const double mean = p.mean.empty() ? 0 : static_cast<double>(p.mean[c]);
    const double deviation = p.deviation.empty() ? 1 : static_cast<double>(p.deviation[c]);
    input.push_back(static_cast<float>((pixel - mean) / deviation));
  }
  return input;
}

}  // namespace

TEST_CASE("a sheet shows the pixels that there were, whatever the family of preprocessing") {
  // Five samples of 1x1: a sheet of 2 rows and 3 columns with gaps of 2.
  const std::vector<double> pixels = {0, 1, 2, 10, 20, 30, 100, 150, 200, 255, 254, 0, 7, 77, 177};
  for (const char* family : {"caffe", "tf", "torch", "rescale"}) {
    const nn::Preprocessing p = nn::preprocessing_named(family);
    const ContactSheet sheet = contact_sheet(input_of(p, pixels), 5, {1, 1, 3}, p);
    REQUIRE(sheet.height == 8);
    REQUIRE(sheet.width == 11);
    for (std::size_t i = 0; i < 5; ++i) {
      const std::size_t y = 2 + 3 * (i / 3), x = 2 + 3 * (i % 3);
      for (std::size_t c = 0; c < 3; ++c) {
        CHECK(sheet.pixels[(y * 11 + x) * 3 + c] == pixels[3 * i + c]);
      }
    }
    CHECK(sheet.pixels[(5 * 11 + 8) * 3] == 255);  // the sixth place is empty
  }
}

TEST_CASE("samples that were centred one by one are stretched one by one") {
  const std::vector<float> inputs = {-1, 0, 1, -5, 0, 15};
  const ContactSheet sheet = contact_sheet(inputs, 2, {1, 3, 1}, {.samplewise_center = true});
  const auto at = [&](int x) {
    return sheet.pixels[static_cast<std::size_t>(2 * sheet.width + x)];
  };
  CHECK(std::array{at(2), at(3), at(4)} == std::array<std::uint8_t, 3>{0, 128, 255});
  CHECK(std::array{at(7), at(8), at(9)} == std::array<std::uint8_t, 3>{0, 64, 255});
}

TEST_CASE("a sheet is a PNG file of its size") {
  const std::vector<float> inputs(4 * 6 * 5);
  const ContactSheet sheet = contact_sheet(inputs, 4, {6, 5, 1}, {});
  const ImageInfo info = image_info(png_of(sheet), "sheet");
  CHECK(std::string(info.format) == "PNG");
  CHECK(info.height == 2 * 8 + 2);
  CHECK(info.width == 2 * 7 + 2);
  CHECK(info.channels == 1);
}

TEST_CASE("rows of numbers are not shown") {
  CHECK_THROWS_WITH(contact_sheet({}, 1, {7}, {}), "contact sheet: samples of 7 are not images");
}

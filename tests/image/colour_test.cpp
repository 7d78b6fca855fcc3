#include <millrace/image/colour.h>

#include "image/recorded_changes.h"

#include <cmath>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("brightness of whole numbers is Keras's to the bit, behind shifts and flips too") {
  int cases = 0;
  for (const RecordedChange& c : recorded_changes("augmentation_keras.csv")) {
    if (!c.transform.colour.brightness || !c.transform.affine.is_identity()) continue;
    if (c.kind != "whole") continue;
    Floats result = c.image();
    Transformer(c.sampling, true).apply(c.transform, c.view(result));
    INFO(describe(c) << " brightness " << *c.transform.colour.brightness);
    CHECK(weighted_sum(result) == c.sum);
    bool agrees = true;
    for (std::size_t i = 0; i < c.samples.size(); ++i) {
      agrees = agrees && static_cast<double>(result[c.place(i)]) == c.samples[i];
    }
    CHECK(agrees);
    ++cases;
  }
  CHECK(cases >= 120);
}

TEST_CASE("brightness behind geometry is Keras's but where truncation meets another rounding") {
  int samples = 0, others = 0;
  for (const RecordedChange& c : recorded_changes("augmentation_keras.csv")) {
    if (!c.transform.colour.brightness || c.transform.affine.is_identity()) continue;
    Floats result = c.image();
    Transformer(c.sampling, true).apply(c.transform, c.view(result));
    INFO(describe(c));
    for (std::size_t i = 0; i < c.samples.size(); ++i) {
      const double difference = std::abs(static_cast<double>(result[c.place(i)]) - c.samples[i]);
      CHECK(difference <= std::ceil(*c.transform.colour.brightness));
      others += difference != 0 ? 1 : 0;
      ++samples;
    }
  }
  CHECK(samples > 800);
  CHECK(others <= samples / 100);
}

TEST_CASE("images beyond 0 to 255 are stretched for brightness and back as Keras does") {
  int cases = 0;
  for (const RecordedChange& c : recorded_changes("augmentation_keras.csv")) {
    if (c.kind != "beyond") continue;
    Floats result = c.image();
    Transformer(c.sampling, true).apply(c.transform, c.view(result));
    INFO(describe(c));
    CHECK(weighted_sum(result) == Approx(c.sum).margin(1e-4 * static_cast<double>(c.size())));
    for (std::size_t i = 0; i < c.samples.size(); ++i) {
      CHECK(result[c.place(i)] == Approx(c.samples[i]).margin(1e-3));
    }
    ++cases;
  }
  CHECK(cases == 20);
}

TEST_CASE("8-bit colours are those of floats, rounded, for every value") {
  const double shift = GENERATE(-30.5, -7.25, 0.0, 100.75);
  const double factor = GENERATE(0.0, 0.37, 1.0, 1.91, 40.0);
  Bytes8 bytes(254);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i + 1);
  Floats floats(bytes.begin(), bytes.end());
  for (const auto& brightness : {std::optional<double>(), std::optional<double>(factor)}) {
    const ColourChange change{shift, brightness};
    Bytes8 changed = bytes;
    Floats exact = floats;
    change_colour(ImageView(changed.data(), 127, 2, 1), change);
    change_colour(FloatImageView(exact.data(), 127, 2, 1), change);
    INFO("shift " << shift << " brightness " << brightness.value_or(-1));
    bool agrees = true;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      agrees = agrees && changed[i] == static_cast<std::uint8_t>(exact[i] + 0.5F);
    }
    CHECK(agrees);
  }
}

TEST_CASE("a channel shift stays within the image's own extremes") {
  Bytes8 image = {10, 50, 200, 100};
  change_colour(ImageView(image.data(), 2, 2, 1), {.channel_shift = 60});
  CHECK(image == Bytes8{70, 110, 200, 160});
  change_colour(ImageView(image.data(), 2, 2, 1), {.channel_shift = -200});
  CHECK(image == Bytes8{70, 70, 70, 70});
}

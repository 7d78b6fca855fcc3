#pragma once
// Changes of images that Keras and SciPy recorded: tests/reference/record_augmentation.py.

#include "catch.h"

#include <millrace/image/transform.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace millrace::test {

using Bytes8 = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

struct RecordedChange {
  std::string kind;
  std::uint32_t number = 0;  ///< of the case, from 1: the seed of its image
  Sampling sampling;
  int height = 0, width = 0, channels = 0;
  Transform transform;
  double sum = 0;
  std::vector<double> samples;

  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
           static_cast<std::size_t>(channels);
  }
  /// What a result of this size has at the places that were kept.
  [[nodiscard]] std::size_t place(std::size_t i) const { return (i * 997 + 3) % size(); }
  [[nodiscard]] ImageView view(Bytes8& pixels) const {
    return {pixels.data(), height, width, channels};
  }
  [[nodiscard]] FloatImageView view(Floats& pixels) const {
    return {pixels.data(), height, width, channels};
  }
  /// The image before the change.
  [[nodiscard]] Floats image() const {
    Floats values(size());
    std::uint32_t state = number;
    for (float& value : values) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<float>(state >> 24);
      if (kind == "parts") value = static_cast<float>(state >> 16) / 256.0F;
      if (kind == "beyond") value = value * 1.5F - 60.0F;
    }
    return values;
  }
};

inline std::vector<RecordedChange> recorded_changes(const std::string& name) {
  std::ifstream file(MILLRACE_TEST_DATA "/image/" + name);
  std::vector<RecordedChange> changes;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#") || line.starts_with("kind")) continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    RecordedChange c;
    std::string fill;
    double brightness = 0;
    words >> c.kind >> fill >> c.sampling.cval >> c.sampling.order >> c.height >> c.width >>
        c.channels;
    AffineParameters& a = c.transform.affine;
    words >> a.theta >> a.tx >> a.ty >> a.shear >> a.zx >> a.zy;
    words >> c.transform.flips.horizontal >> c.transform.flips.vertical;
    words >> c.transform.colour.channel_shift >> brightness >> c.sum;
    if (brightness >= 0) c.transform.colour.brightness = brightness;
    for (double sample = 0; words >> sample;) c.samples.push_back(sample);
    c.sampling.fill = fill_from_name(fill);
    c.number = static_cast<std::uint32_t>(changes.size()) + 1;
    REQUIRE(c.samples.size() == 16);
    changes.push_back(c);
  }
  return changes;
}

inline std::string describe(const RecordedChange& c) {
  const AffineParameters& a = c.transform.affine;
  return concat("case ", c.number, ": ", c.height, 'x', c.width, 'x', c.channels, ' ', c.kind, ' ',
                to_string(c.sampling.fill), " order ", c.sampling.order, " theta ", a.theta, " tx ",
                a.tx, " ty ", a.ty, " shear ", a.shear, " zx ", a.zx, " zy ", a.zy);
}

/// All samples, each with a weight of 1 to 5.
inline double weighted_sum(const Floats& result) {
  double sum = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    sum += static_cast<double>(result[i]) * static_cast<double>(1 + 7 * i % 5);
  }
  return sum;
}

}  // namespace millrace::test

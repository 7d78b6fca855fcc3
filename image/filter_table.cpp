#include <millrace/image/filter_table.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace millrace {
namespace {

double sinc(double x) {
  if (x == 0.0) return 1.0;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

double support_of(Filter filter) {
  switch (filter) {
    case Filter::nearest: return 0.0;
    case Filter::box: return 0.5;
    case Filter::bilinear:
    case Filter::hamming: return 1.0;
    case Filter::bicubic: return 2.0;
    case Filter::lanczos: return 3.0;
  }
  return 0.0;
}

double bicubic(double t) {
  constexpr double kA = -0.5;
  if (t < 1.0) return ((kA + 2.0) * t - (kA + 3.0)) * t * t + 1.0;
  if (t < 2.0) return (((t - 5.0) * t + 8.0) * t - 4.0) * kA;
  return 0.0;
}

double hamming(double t) {
  // In binary32, as Pillow has them: the difference shows in one pixel of a few ten thousand.
  constexpr double kMean = 0.54F;
  constexpr double kCosine = 0.46F;
  return t < 1.0 ? sinc(t) * (kMean + kCosine * std::cos(std::numbers::pi * t)) : 0.0;
}

// The kernels as Pillow defines them (libImaging/Resample.c), 8-bit results included.
double kernel(Filter filter, double x) {
  const double t = std::fabs(x);
  switch (filter) {
    case Filter::nearest: return 0.0;
    case Filter::box: return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::bilinear: return t < 1.0 ? 1.0 - t : 0.0;
    case Filter::hamming: return hamming(t);
    case Filter::bicubic: return bicubic(t);
    case Filter::lanczos: return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
  }
  return 0.0;
}

// Half away from zero, by truncation: the rounding of the fixed-point weights is part of the
// result.
std::int32_t to_fixed(double weight) {
  const double scaled = weight * (1 << FilterTable::kFractionBits);
  return static_cast<std::int32_t>(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
}

}  // namespace

void FilterTable::assign(int in_size, int out_size, Filter by, int repeat) {
  in = in_size;
  out = out_size;
  filter = by;
  lanes = repeat;
  first.resize(static_cast<std::size_t>(out));
  count.resize(static_cast<std::size_t>(out));
  if (filter == Filter::nearest) return assign_nearest();

  const double scale = static_cast<double>(in) / out;
  const double widening = std::max(scale, 1.0);
  const double inverse = 1.0 / widening;
  assign_bounds(scale, support_of(filter) * widening);
  stride = static_cast<std::size_t>((taps * lanes + kVector - 1) / kVector * kVector);
  weights.assign(static_cast<std::size_t>(out) * stride, 0);

  std::vector<double> row(static_cast<std::size_t>(taps));
  for (int position = 0; position < out; ++position) {
    const auto at = static_cast<std::size_t>(position);
    const auto n = static_cast<std::size_t>(count[at]);
    const double centre = (position + 0.5) * scale;
    double sum = 0.0;
    for (std::size_t tap = 0; tap < n; ++tap) {
      const double sample = static_cast<double>(first[at]) + static_cast<double>(tap);
      row[tap] = kernel(filter, (sample - centre + 0.5) * inverse);
      sum += row[tap];
    }
    for (std::size_t tap = 0; tap < n; ++tap) {
      const std::int32_t weight = to_fixed(sum != 0.0 ? row[tap] / sum : row[tap]);
      std::fill_n(weights.begin() + static_cast<std::ptrdiff_t>(
                                        at * stride + tap * static_cast<std::size_t>(lanes)),
                  lanes, weight);
    }
  }
}

void FilterTable::assign_bounds(double scale, double support) {
  taps = 0;
  for (int position = 0; position < out; ++position) {
    const double centre = (position + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(in, static_cast<int>(centre + support + 0.5));
    first[static_cast<std::size_t>(position)] = begin;
    count[static_cast<std::size_t>(position)] = end - begin;
    taps = std::max(taps, end - begin);
  }
}

void FilterTable::assign_nearest() {
  taps = 1;
  stride = 0;
  weights.clear();
  const double scale = static_cast<double>(in) / out;
  // Added up, not multiplied: the rounding errors of the sum decide ties as they do in Pillow.
  double source = scale * 0.5;
  for (int position = 0; position < out; ++position, source += scale) {
    first[static_cast<std::size_t>(position)] = std::min(static_cast<int>(source), in - 1);
    count[static_cast<std::size_t>(position)] = 1;
  }
}

}  // namespace millrace

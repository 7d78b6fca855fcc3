#include <millrace/image/affine.h>

#include <millrace/image/warp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace millrace {
namespace {

constexpr std::array<const char*, 4> kFillNames = {"nearest", "constant", "reflect", "wrap"};

/// [row][column] of a transformation of (first coordinate, second coordinate, 1).
using Matrix = std::array<std::array<double, 3>, 3>;

constexpr Matrix translation(double first, double second) {
  return {{{1, 0, first}, {0, 1, second}, {0, 0, 1}}};
}

Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix product{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t k = 0; k < 3; ++k) product[i][j] += a[i][k] * b[k][j];
    }
  }
  return product;
}

double radians(double degrees) {
  return degrees * (std::numbers::pi / 180);
}

// Factors that change nothing are left out, so that whole numbers stay whole.
Matrix linear_part(const AffineParameters& p, double first_shift, double second_shift) {
  Matrix product = translation(0, 0);
  if (p.theta != 0) {
    const double c = std::cos(radians(p.theta)), s = std::sin(radians(p.theta));
    product = product * Matrix{{{c, -s, 0}, {s, c, 0}, {0, 0, 1}}};
  }
  if (first_shift != 0 || second_shift != 0) {
    product = product * translation(first_shift, second_shift);
  }
  if (p.shear != 0) {
    const double c = std::cos(radians(p.shear)), s = std::sin(radians(p.shear));
    product = product * Matrix{{{1, -s, 0}, {0, c, 0}, {0, 0, 1}}};
  }
  if (p.zx != 1 || p.zy != 1) {
    product = product * Matrix{{{p.zx, 0, 0}, {0, p.zy, 0}, {0, 0, 1}}};
  }
  return product;
}

std::size_t lanes_for(int channels) noexcept {
  return channels == 1 ? 1 : (static_cast<std::size_t>(channels) + 3) / 4 * 4;
}

std::size_t padded_samples(int height, int width, int channels) noexcept {
  return (static_cast<std::size_t>(height) + 2) * (static_cast<std::size_t>(width) + 2) *
         lanes_for(channels);
}

warp::Border border_of(const Sampling& sampling) {
  switch (sampling.fill) {
    case Fill::nearest: return warp::Border::clamp;
    case Fill::constant: return warp::Border::constant;
    case Fill::reflect: return warp::Border::reflect;
    case Fill::wrap: break;
  }
  return sampling.keras_wrap ? warp::Border::wrap_short : warp::Border::wrap;
}

void load_row(const float* in, std::size_t pixels, std::size_t channels, std::size_t lanes,
              float* out) {
  for (std::size_t i = 0; i < pixels; ++i)
    std::copy_n(in + i * channels, channels, out + i * lanes);
}
void load_row(const std::uint8_t* in, std::size_t pixels, std::size_t channels, std::size_t lanes,
              float* out) {
  warp::widen(in, pixels, channels, lanes, out);
}

void store_row(const float* in, std::size_t n, float* out) {
  std::copy_n(in, n, out);
}
void store_row(const float* in, std::size_t n, std::uint8_t* out) {
  warp::round_samples(in, n, out);
}

}  // namespace

const char* to_string(Fill fill) noexcept {
  return kFillNames[static_cast<std::size_t>(fill)];
}

Fill fill_from_name(std::string_view name) {
  const auto found = std::find(kFillNames.begin(), kFillNames.end(), name);
  if (found == kFillNames.end()) {
    throw UsageError(
        concat('\'', name, "' is not a fill mode; choose one of nearest, constant, reflect, wrap"));
  }
  return static_cast<Fill>(found - kFillNames.begin());
}

AffineMatrix affine_matrix(const AffineParameters& p, int height, int width, bool keras_compat) {
  // Coordinates are (column, row). Keras exchanges rows and columns after it has built a matrix for
  // (row, column): what was meant for rows meets columns, the centre and the shifts included.
  const double first_extent = keras_compat ? height : width;
  const double second_extent = keras_compat ? width : height;
  const double first = first_extent / 2 - 0.5, second = second_extent / 2 - 0.5;
  const Matrix linear = keras_compat ? linear_part(p, p.tx, p.ty) : linear_part(p, p.ty, p.tx);
  const Matrix m = translation(first, second) * linear * translation(-first, -second);
  return {.rr = m[1][1], .rc = m[1][0], .r0 = m[1][2], .cr = m[0][1], .cc = m[0][0], .c0 = m[0][2]};
}

AffineSampler::AffineSampler(Sampling sampling) : sampling_(sampling) {
  if (sampling.order != 0 && sampling.order != 1) {
    throw UsageError(concat("interpolation order must be 0 (nearest pixel) or 1 (bilinear), not ",
                            sampling.order));
  }
  if (!std::isfinite(sampling.cval)) {
    throw UsageError(concat("cval must be a finite number, not ", sampling.cval));
  }
}

template <class Sample>
void AffineSampler::load(BasicImageView<const Sample> source) {
  MILLRACE_CHECK(source.height > 0 && source.width > 0, "an empty image cannot be resampled");
  const std::size_t samples = padded_samples(source.height, source.width, source.channels);
  MILLRACE_CHECK(samples <= std::numeric_limits<std::int32_t>::max(), "an image of ", source.height,
                 'x', source.width, 'x', source.channels, " is too large");
  height_ = source.height;
  width_ = source.width;
  const std::size_t lanes = lanes_for(source.channels);
  lanes_ = static_cast<int>(lanes);
  padded_.resize(samples);
  const std::size_t pitch = (static_cast<std::size_t>(width_) + 2) * lanes;
  for (int y = 0; y < height_; ++y) {
    load_row(source.row(y), static_cast<std::size_t>(width_),
             static_cast<std::size_t>(source.channels), lanes,
             padded_.data() + (static_cast<std::size_t>(y) + 1) * pitch + lanes);
  }
  surround();
}

// One pixel on each side, so that neighbours need no thought: the other side's under wrap, else
// the nearest; the upper left corner alone is the constant.
void AffineSampler::surround() {
  const auto lanes = static_cast<std::size_t>(lanes_);
  const auto columns = static_cast<std::size_t>(width_), rows = static_cast<std::size_t>(height_);
  const std::size_t pitch = (columns + 2) * lanes;
  const bool wraps = border_of(sampling_) == warp::Border::wrap;
  for (std::size_t y = 1; y <= rows; ++y) {
    float* const row = padded_.data() + y * pitch;
    std::copy_n(row + (wraps ? columns : 1) * lanes, lanes, row);
    std::copy_n(row + (wraps ? 1 : columns) * lanes, lanes, row + (columns + 1) * lanes);
  }
  float* const first = padded_.data();
  std::copy_n(first + (wraps ? rows : 1) * pitch, pitch, first);
  std::copy_n(first + (wraps ? 1 : rows) * pitch, pitch, first + (rows + 1) * pitch);
  if (sampling_.fill == Fill::constant) std::fill_n(first, lanes, sampling_.cval);
}

template <class Target>
void AffineSampler::render(const AffineMatrix& m, Flips flips, Target target) {
  for (const double entry : {m.rr, m.rc, m.r0, m.cr, m.cc, m.c0}) {
    MILLRACE_CHECK(std::abs(entry) < 1e9, "an entry of an affine matrix is ", entry);
  }
  const auto columns = static_cast<std::size_t>(target.width);
  const auto channels = static_cast<std::size_t>(target.channels);
  offsets_.resize(columns + warp::kPadding);
  down_.resize(columns + warp::kPadding);
  right_.resize(columns + warp::kPadding);
  row_.resize(columns * channels + warp::kPadding);
  const warp::Source source{padded_.data(), static_cast<std::size_t>(width_) + 2,
                            static_cast<std::size_t>(lanes_), channels};
  warp::Row row{.row = {0, m.rc, m.r0, height_},
                .column = {0, m.cc, m.c0, width_},
                .first_column = flips.horizontal ? target.width - 1.0 : 0.0,
                .column_step = flips.horizontal ? -1.0 : 1.0,
                .border = border_of(sampling_),
                .rounds = sampling_.order == 0};
  for (int y = 0; y < target.height; ++y) {
    const double output_row = flips.vertical ? target.height - 1 - y : y;
    row.row.at_row = output_row * m.rr;
    row.column.at_row = output_row * m.cr;
    warp::locate(row, columns, offsets_.data(), down_.data(), right_.data());
    warp::blend(source, columns, offsets_.data(), down_.data(), right_.data(), row_.data());
    store_row(row_.data(), columns * channels, target.row(y));
  }
}

void AffineSampler::resample(ConstImageView source, const AffineMatrix& matrix, Flips flips,
                             ImageView target) {
  MILLRACE_CHECK(source.channels == target.channels, "channels differ");
  load(source);
  render(matrix, flips, target);
}

void AffineSampler::resample(ConstImageView source, const AffineMatrix& matrix, Flips flips,
                             FloatImageView target) {
  MILLRACE_CHECK(source.channels == target.channels, "channels differ");
  load(source);
  render(matrix, flips, target);
}

void AffineSampler::resample(ConstFloatImageView source, const AffineMatrix& matrix, Flips flips,
                             FloatImageView target) {
  MILLRACE_CHECK(source.channels == target.channels, "channels differ");
  load(source);
  render(matrix, flips, target);
}

Bytes AffineSampler::scratch(int height, int width, int channels) noexcept {
  const std::size_t row = static_cast<std::size_t>(width) + warp::kPadding;
  const std::size_t values = static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  return {(padded_samples(height, width, channels) + 3 * row + values + warp::kPadding) *
          sizeof(float)};
}

}  // namespace millrace

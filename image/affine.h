#pragma once
// Affine changes of images: rotation, shift, shear and zoom in one resampling step, with the
// parameters and fill modes of Keras's ImageDataGenerator. Pure geometry: what is chosen for a
// image is in augmentation.h, colours are in colour.h, all together in transform.h.

#include <millrace/core/bytes.h>
#include <millrace/image/image.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace {

/// What lies around an image, as SciPy names it. On a row a b c d:
enum class Fill : std::uint8_t {
  nearest,   ///< a a a | a b c d | d d d
  constant,  ///< k k k | a b c d | k k k; a pixel that needs anything from outside is k
  reflect,   ///< c b a | a b c d | d c b
  wrap,      ///< b c d | a b c d | a b c
};

[[nodiscard]] const char* to_string(Fill fill) noexcept;
/// Throws UsageError that lists the names.
[[nodiscard]] Fill fill_from_name(std::string_view name);

/// The geometry of one change, in the words and units of Keras.
struct AffineParameters {
  double theta = 0;  ///< degrees, counter-clockwise on the screen
  double tx = 0;     ///< pixels the image moves upwards
  double ty = 0;     ///< pixels the image moves to the left
  double shear = 0;  ///< degrees by which columns lean
  double zx = 1;     ///< columns: below 1 the image grows, above 1 it shrinks
  double zy = 1;     ///< rows

  /// Nothing moves: no resampling.
  [[nodiscard]] bool is_identity() const noexcept {
    return theta == 0 && tx == 0 && ty == 0 && shear == 0 && zx == 1 && zy == 1;
  }
};

/// Where an output pixel comes from: row = rr * row + rc * column + r0, and the like for columns.
struct AffineMatrix {
  double rr = 1, rc = 0, r0 = 0;
  double cr = 0, cc = 1, c0 = 0;
};

/// The backward map of R(theta) T(ty, tx) S(shear) Z(zx, zy) on coordinates (column, row) about the
/// centre ((width - 1) / 2, (height - 1) / 2), with
///   R = [c -s; s c],  T = translation,  S = [1 -sin; 0 cos],  Z = diag.
/// `keras_compat` gives what Keras 2.9 to 3 compute exactly: tx is added to columns and ty to
/// rows, and the centre of columns is (height - 1) / 2 and that of rows (width - 1) / 2. Both agree
/// on square images but for the exchange of tx and ty.
[[nodiscard]] AffineMatrix affine_matrix(const AffineParameters& parameters, int height, int width,
                                         bool keras_compat = false);

/// How pixels are taken from an image.
struct Sampling {
  Fill fill = Fill::nearest;
  float cval = 0;  ///< k of Fill::constant
  int order = 1;   ///< 0: the nearest pixel, 1: bilinear
  /// Fill::wrap repeats every extent - 1 pixels, as SciPy's "wrap" does, instead of every extent.
  bool keras_wrap = false;
};

/// Mirrors the result of a resampling step, at no cost.
struct Flips {
  bool horizontal = false, vertical = false;
};

/// Resamples images of any number of channels. Coordinates are computed in double as SciPy
/// computes them, values in float; 8-bit results are those of floats, rounded (halves up). The same
/// numbers on every processor. Allocates nothing while sizes repeat.
///
/// Thread safety: one sampler a thread.
class AffineSampler {
 public:
  /// Throws UsageError for an order other than 0 and 1 or a cval that is not finite.
  explicit AffineSampler(Sampling sampling);

  /// target(row, column) = source at matrix (row, column), then mirrored. The target may be the
  /// source. Requires: equal channels, no extent zero.
  void resample(ConstImageView source, const AffineMatrix& matrix, Flips flips, ImageView target);
  void resample(ConstImageView source, const AffineMatrix& matrix, Flips flips,
                FloatImageView target);
  void resample(ConstFloatImageView source, const AffineMatrix& matrix, Flips flips,
                FloatImageView target);

  /// Memory held after an image of this size has been resampled onto itself.
  [[nodiscard]] static Bytes scratch(int height, int width, int channels) noexcept;

 private:
  template <class Sample>
  void load(BasicImageView<const Sample> source);
  void surround();
  template <class Target>
  void render(const AffineMatrix& matrix, Flips flips, Target target);

  Sampling sampling_;
  int height_ = 0, width_ = 0, lanes_ = 0;  // of the image in `padded_`
  std::vector<float> padded_;               // [height + 2][width + 2][lanes]
  std::vector<std::int32_t> offsets_;       // of one row of output
  std::vector<float> down_, right_, row_;
};

}  // namespace millrace

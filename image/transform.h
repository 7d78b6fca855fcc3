#pragma once
// One random change of an image, as parameters, and its application: geometry, then channel
// shift, flips and brightness, in the order of Keras's ImageDataGenerator.

#include <millrace/image/affine.h>
#include <millrace/image/colour.h>

namespace millrace {

/// All random choices for an image. Parameters that Keras chose can be used unchanged.
struct Transform {
  AffineParameters affine;
  Flips flips;
  ColourChange colour;
};

/// Applies transforms to images in place. All geometry is one resampling step; a transform whose
/// geometry is the identity resamples nothing. 8-bit results are those of floats rounded once.
///
/// Thread safety: one a thread. Allocates nothing while sizes repeat.
class Transformer {
 public:
  /// `keras_compat`: the matrix and the wrap of Keras (affine.h). Throws UsageError as
  /// AffineSampler does.
  explicit Transformer(Sampling sampling, bool keras_compat = false);

  void apply(const Transform& transform, ImageView image);
  void apply(const Transform& transform, FloatImageView image);

  /// The most that is held for images of this size.
  [[nodiscard]] static Bytes scratch(int height, int width, int channels) noexcept;

 private:
  AffineSampler sampler_;
  bool keras_compat_;
  std::vector<float> floats_;  // an 8-bit image between geometry and colour
};

}  // namespace millrace

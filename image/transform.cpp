#include <millrace/image/transform.h>

#include <millrace/image/geometry.h>
#include <millrace/image/warp.h>

namespace millrace {
namespace {

template <class Image>
void flip(Image image, Flips flips) {
  if (flips.horizontal) flip_horizontal(image);
  if (flips.vertical) flip_vertical(image);
}

Sampling with_wrap_of_keras(Sampling sampling, bool keras_compat) {
  sampling.keras_wrap = sampling.keras_wrap || keras_compat;
  return sampling;
}

}  // namespace

Transformer::Transformer(Sampling sampling, bool keras_compat)
    : sampler_(with_wrap_of_keras(sampling, keras_compat)), keras_compat_(keras_compat) {}

void Transformer::apply(const Transform& t, ImageView image) {
  if (image.height == 0 || image.width == 0) return;
  if (t.affine.is_identity()) {
    flip(image, t.flips);
    return change_colour(image, t.colour);
  }
  const AffineMatrix matrix = affine_matrix(t.affine, image.height, image.width, keras_compat_);
  if (t.colour.is_identity()) return sampler_.resample(image, matrix, t.flips, image);
  floats_.resize(static_cast<std::size_t>(image.height) * image.row_samples());
  const FloatImageView exact(floats_.data(), image.height, image.width, image.channels);
  sampler_.resample(image, matrix, t.flips, exact);
  change_colour(exact, t.colour);
  for (int y = 0; y < image.height; ++y) {
    warp::round_samples(exact.row(y), exact.row_samples(), image.row(y));
  }
}

void Transformer::apply(const Transform& t, FloatImageView image) {
  if (image.height == 0 || image.width == 0) return;
  if (t.affine.is_identity()) {
    flip(image, t.flips);
  } else {
    sampler_.resample(image, affine_matrix(t.affine, image.height, image.width, keras_compat_),
                      t.flips, image);
  }
  change_colour(image, t.colour);
}

Bytes Transformer::scratch(int height, int width, int channels) noexcept {
  const Bytes floats{static_cast<std::uint64_t>(height) * static_cast<std::uint64_t>(width) *
                     static_cast<std::uint64_t>(channels) * sizeof(float)};
  return AffineSampler::scratch(height, width, channels) + floats;
}

}  // namespace millrace

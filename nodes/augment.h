#pragma once
// Random changes of training images, in place, that keep their meaning. The options are
// those of image/augmentation.h.

#include <millrace/image/augmentation.h>
#include <millrace/nodes/host_batch.h>

#include <cstdint>

namespace millrace {

/// A node: Ticket -> the same Ticket. Changes valid images {H, W, C} of training batches only:
/// first the padded crop, then Keras's changes in its order, then later ones. Samples count 0 to
/// 255; of uint8 batches they are rounded once, of float32 batches not. Its random choices are a
/// function of (seed, pass, position in the pass), whatever thread does it; with
/// AugmentOptions::views of (seed, pass modulo views, HostBatch::index).
class Augment {
 public:
  /// `sample` is the shape of the images to come: scratch() is computed from it. Throws
  /// UsageError as check() does.
  Augment(AugmentOptions options, std::uint64_t seed, Shape sample = {});
  static constexpr bool writes_in_place = true;
  Ticket operator()(const Ticket& ticket);
  /// The most that one copy holds for images of the shape given; 0 without one.
  [[nodiscard]] Bytes scratch() const noexcept;

 private:
  template <class Sample>
  void change(BasicImageView<Sample> image, RandomKey key);

  AugmentOptions options_;
  std::uint64_t seed_;
  Shape sample_;
  Transformer transformer_;
};

}  // namespace millrace

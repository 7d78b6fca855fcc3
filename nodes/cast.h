#pragma once
// Turns uint8 pixels into the floating-point input of a model.

#include <millrace/nn/model.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/pipeline/pending.h>

#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

/// A node: DeviceBatch -> the same, with `input` = (pixel * scale - mean[c]) / deviation[c],
/// computed in float32 as pixel * (scale / deviation) - mean / deviation, c counting in the model's
/// order of channels. Float32 features are scaled the same way. Float32 images come from
/// Standardize, which has done all this: they are copied. Where the engine has memory of its own
/// the device does the same there, in the engine's precision. Drops the lease of the host batch;
/// in a pipeline its slot is free once the item has left the last stage, which holds it too.
class Cast {
 public:
  /// Throws UsageError unless mean and deviation are empty or have one entry a channel.
  Cast(const nn::Preprocessing& preprocessing, const Shape& sample);
  Pending<Lease<DeviceBatch>> operator()(const Lease<DeviceBatch>& batch) const;

 private:
  void cast_on_host(DeviceBatch& batch) const;
  template <class Pixel>
  void normalize(std::span<const Pixel> pixels, std::span<float> input) const;
  template <class Pixel>
  void normalize_swapped(std::span<const Pixel> pixels, std::span<float> input) const;

  // One factor and offset an element of a period: whole pixels, and a multiple of a vector's
  // length, so that the inner loop has no division by the number of channels.
  std::vector<float> factor_, offset_;
  nn::Normalization by_channel_;  // the same for a device
  nn::Normalization none_;        // of images that were standardised
  bool swaps_ = false;            // RGB to BGR
  bool wants_floats_ = false;     // samples must have been standardised as a whole
  bool is_for_images_ = true;     // float32 samples of one dimension are features
};

}  // namespace millrace

#pragma once
// Sums over samples for a mean, a deviation and a whitening matrix. Adding samples
// needs no second pass, and samples are not kept.

#include <millrace/core/bytes.h>
#include <millrace/core/shape.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

/// First and second moments by channel and, if asked for, of all pairs of elements of a sample.
///
/// Sums are float64 of values less the first one seen in the channel, so that a mean far from zero
/// costs no digits. Of uint8 pixels they are whole numbers and exact, pairs of elements included
/// (blocks of 256 samples are multiplied in float32, where 256 * 255^2 < 2^24): no order of adding
/// changes a bit of them. Of float32 features the result depends on the order of adding.
///
/// Thread safety: none.
class Moments {
 public:
  /// `sample`: {height, width, channels} or {features}, where each feature is a channel. `swaps`:
  /// channels 0 and 2 of images change places. Pairs are for uint8 images.
  Moments(const Shape& sample, bool with_pairs, bool swaps = false);

  /// Rows [N][sample] of uint8 or float32.
  void add(const ConstTensorView& rows);

  [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
  [[nodiscard]] std::vector<double> mean() const;       ///< by channel
  [[nodiscard]] std::vector<double> deviation() const;  ///< by channel, divided by the count
  /// sum over samples of (x - mean)(x - mean)^T, [F][F] with both triangles, in the memory of the
  /// sums: the object can then only be dropped.
  [[nodiscard]] std::vector<double> take_centred_pairs();

  /// What an object of this kind takes.
  [[nodiscard]] static Bytes bytes(const Shape& sample, bool with_pairs);

 private:
  template <class Value>
  void add_values(std::span<const Value> values);
  void add_pairs(std::span<const std::uint8_t> pixels);
  void multiply_block();

  std::size_t features_, channels_;
  bool swaps_;
  std::uint64_t samples_ = 0;
  std::vector<double> shift_, sum_, square_;  // [channels_]
  // With pairs only.
  std::vector<double> element_sum_;  // [features_]
  std::vector<double> pairs_;        // [features_][features_], lower triangle
  std::vector<float> block_, block_pairs_;
  std::size_t block_rows_ = 0;
};

}  // namespace millrace

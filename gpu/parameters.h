#pragma once
// The parameter arena of this engine: which physical place each parameter has, and how the order of
// nn/engine.h becomes the physical one. Masters, working copies, gradients, optimizer state and
// masks all use the same places, so an update is one pass over one range.
//
//   kernel of a convolution  [filters][rows][columns][channels]  filters and channels padded; the
//                                                                channels of a group are not
//   kernel of a dense layer  [units][features]                   both padded
//   everything else          [channels]                          padded
//
// Padding is zero, and stays zero under every optimizer, because its gradients are zero.

#include <millrace/nn/model.h>
#include <millrace/nn/precision.h>

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::gpu {

/// A parameter of the arena, in device memory, in the order of offsets. Offsets and counts are
/// physical; offsets are multiples of 16. What lies between segments is zero in every arena.
struct Segment {
  std::int64_t offset = 0, count = 0;
  std::uint32_t is_penalised = 0;  ///< a kernel, where L2 is on
};

/// Fixed parts for sums over a whole arena, and over one parameter: partials are float64.
inline constexpr std::int64_t kArenaParts = 16384, kNormParts = 1024;

/// Channels and features are stored in multiples of 16 bytes, which tensor cores ask for.
[[nodiscard]] std::int64_t padded(std::int64_t channels, nn::Precision precision) noexcept;

class ParameterPlaces {
 public:
  /// Physical rows of `stored` neighbouring elements, of which some count.
  struct Place {
    std::int64_t offset = 0;  ///< elements from the start of the arena, a multiple of 16
    std::int64_t rows = 0, stored = 0;
    [[nodiscard]] std::int64_t count() const { return rows * stored; }
  };

  ParameterPlaces(std::vector<nn::Parameter> parameters, nn::Precision precision);

  [[nodiscard]] const std::vector<nn::Parameter>& parameters() const { return parameters_; }
  [[nodiscard]] const Place& place(int parameter) const;
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] std::int64_t trainable_elements() const { return trainable_elements_; }
  /// Of the longest row.
  [[nodiscard]] std::int64_t longest_row() const { return longest_row_; }
  /// Elements of an arena on the outside: all parameters, or the trainable ones.
  [[nodiscard]] std::int64_t outside_elements(bool trainable_only) const;

  /// Copies `count` rows from `first_row` on between `physical`, where they lie one after the
  /// other, and `values`, an arena in the order of nn/engine.h. Padding is set to zero.
  void to_outside(int parameter, std::int64_t first_row, std::int64_t count,
                  std::span<const float> physical, std::span<float> values) const;
  void from_outside(int parameter, std::int64_t first_row, std::int64_t count,
                    std::span<const float> values, std::span<float> physical) const;

 private:
  /// Where the elements of a physical row are on the outside.
  struct Row {
    std::int64_t first = 0, stride = 1;
    std::int64_t count = 0;  ///< 0 for a row of padding
  };
  [[nodiscard]] Row row(int parameter, std::int64_t index) const;

  std::vector<nn::Parameter> parameters_;
  std::vector<Place> places_;
  std::int64_t elements_ = 0, trainable_elements_ = 0, longest_row_ = 0;
};

}  // namespace millrace::gpu

#pragma once
// The weights of one axis of a resize, computed once for (in, out, filter). Used only by
// Resizer. Definition and rounding are Pillow's, so that results are equal to the byte.

#include <millrace/image/filter.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace {

/// For each output position the first input position, the number of inputs and their weights.
struct FilterTable {
  static constexpr int kFractionBits = 22;  ///< of a weight
  static constexpr int kVector = 16;        ///< rows of weights are padded with zeros to this

  int in = 0;
  int out = 0;
  int lanes = 0;  ///< how often each weight is repeated: 4 for pixels of four samples
  Filter filter = Filter::nearest;
  int taps = 0;            ///< most inputs of any output
  std::size_t stride = 0;  ///< from the weights of one output to those of the next
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> count;
  std::vector<std::int32_t> weights;  ///< [out][stride]; empty for nearest

  /// Recomputes everything. Memory is reused if it suffices.
  void assign(int in_size, int out_size, Filter by, int repeat);
  [[nodiscard]] bool is_for(int in_size, int out_size, Filter by, int repeat) const noexcept {
    return in == in_size && out == out_size && filter == by && lanes == repeat;
  }
  [[nodiscard]] const std::int32_t* weights_of(int position) const noexcept {
    return weights.data() + static_cast<std::size_t>(position) * stride;
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return (first.capacity() + count.capacity() + weights.capacity()) * sizeof(std::int32_t);
  }

 private:
  void assign_nearest();
  void assign_bounds(double scale, double support);
};

}  // namespace millrace

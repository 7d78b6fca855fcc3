#pragma once
// Generated samples, to try a recipe or measure without data.

#include <millrace/io/dataset.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// What a word like "generated:1000x28x28x1:2" says: N samples of a shape, in a number of classes,
/// and, after another colon, a seed.
struct GeneratedOptions {
  std::uint32_t samples = 1000;
  Shape sample{28, 28, 1};  ///< {height, width, 1 or 3} or {features}
  std::int64_t classes = 2;
  std::uint64_t seed = 1;
};

[[nodiscard]] bool is_generated(std::string_view word) noexcept;
/// Throws UsageError that shows the form of the word.
[[nodiscard]] GeneratedOptions parse_generated(std::string_view word);

/// Noise in which each class has its own faint pattern: one sixteenth of the range, in half
/// of the values. A net must learn it from many samples; a single value says nothing.
///
/// A sample is a function of (seed, its number), classes come in turn; none is kept in memory.
/// Fewer samples of the same seed are the first ones of more.
class GeneratedDataset final : public Dataset {
 public:
  /// Throws UsageError for a shape or a number of classes that make no sense.
  explicit GeneratedDataset(GeneratedOptions options);

  [[nodiscard]] std::uint32_t size() const noexcept override { return options_.samples; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override {
    return static_cast<int>(index % classes_.size());
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {patterns_.size()}; }
  [[nodiscard]] Shape natural_shape() const override { return options_.sample; }
  [[nodiscard]] DType dtype() const noexcept override {
    return options_.sample.rank() == 3 ? DType::u8 : DType::f32;
  }
  /// Throws Error if the target has another shape: there is nothing to resize.
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  GeneratedOptions options_;
  std::vector<std::string> classes_;
  std::vector<std::uint8_t> patterns_;  // [classes][values], 0 or 1
};

}  // namespace millrace

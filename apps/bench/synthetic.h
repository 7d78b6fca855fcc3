#pragma once
// Samples made of random numbers, for measuring without data.

#include <millrace/io/dataset.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace millrace::apps {

/// Fills memory with random bytes that are a function of (seed, index).
void fill_random(std::span<std::uint8_t> bytes, std::uint64_t seed, std::uint64_t index);

/// Images of random pixels, or rows of random features in [0, 1), classes in turn. A sample is a
/// function of (seed, index); none is kept in memory.
class SyntheticDataset final : public Dataset {
 public:
  /// `sample`: {height, width, channels}, or {features} for rows.
  SyntheticDataset(Shape sample, std::uint32_t size, std::int64_t classes, std::uint64_t seed);

  [[nodiscard]] std::uint32_t size() const noexcept override { return size_; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override {
    return static_cast<int>(index % classes_.size());
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return sample_; }
  [[nodiscard]] DType dtype() const noexcept override {
    return sample_.rank() == 3 ? DType::u8 : DType::f32;
  }
  /// Requires: the target has the shape of the samples.
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  Shape sample_;
  std::uint32_t size_;
  std::vector<std::string> classes_;
  std::uint64_t seed_;
};

}  // namespace millrace::apps

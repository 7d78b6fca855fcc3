#pragma once
// A data set for tests: sample i is an image whose pixels are functions of i, so that a test can
// tell which sample a row holds. Some samples can be made to fail.

#include <millrace/io/dataset.h>

#include <set>
#include <span>
#include <string>
#include <vector>

namespace millrace {

class Numbered final : public Dataset {
 public:
  explicit Numbered(std::uint32_t size, Shape shape = {4, 4, 1}, std::set<std::uint32_t> bad = {},
                    std::vector<std::uint32_t> shards = {})
      : size_(size), shape_(shape), bad_(std::move(bad)), shards_(std::move(shards)) {}

  [[nodiscard]] std::uint32_t size() const noexcept override { return size_; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override {
    return static_cast<int>(index % 2);
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override {
    return "sample " + std::to_string(index);
  }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return shape_; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  [[nodiscard]] std::span<const std::uint32_t> shards() const noexcept override { return shards_; }
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    if (bad_.count(index) != 0) throw Error(name(index) + ": is bad");
    const auto pixels = target.as<std::uint8_t>();
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = pixel(index, i);
  }
  /// Class 1 is brighter by 100.
  [[nodiscard]] static std::uint8_t pixel(std::uint32_t index, std::size_t i) {
    return static_cast<std::uint8_t>((index * 7 + i * 3) % 100 + (index % 2) * 100);
  }

 private:
  std::uint32_t size_;
  Shape shape_;
  std::set<std::uint32_t> bad_;
  std::vector<std::uint32_t> shards_;
  std::vector<std::string> classes_{"dark", "light"};
};

}  // namespace millrace

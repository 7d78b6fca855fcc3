#pragma once
// A data set for tests whose samples have targets, of which some are not known. It has no labels,
// and says so to whoever asks.

#include "nodes/numbered.h"

#include <limits>
#include <span>

namespace millrace {

/// The targets of sample i are i and 10 i, divided by `unit`; the second of every third is unknown.
class WithTargets final : public Dataset {
 public:
  explicit WithTargets(std::uint32_t size, Shape shape = {4, 4, 1}, float unit = 1)
      : inner_(size, shape), unit_(unit) {}

  [[nodiscard]] std::uint32_t size() const noexcept override { return inner_.size(); }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override {
    throw Error("somebody asked for the label of a data set with targets");
  }
  [[nodiscard]] const std::vector<std::string>& targets() const noexcept override {
    return targets_;
  }
  void target(std::uint32_t index, std::span<float> values) const override {
    values[0] = static_cast<float>(index) / unit_;
    values[1] = index % 3 == 0 ? std::numeric_limits<float>::quiet_NaN()
                               : static_cast<float>(10 * index) / unit_;
  }
  [[nodiscard]] std::string name(std::uint32_t index) const override { return inner_.name(index); }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return inner_.natural_shape(); }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter filter,
            Decoder& decoder) const override {
    inner_.load(index, target, filter, decoder);
  }

 private:
  Numbered inner_;
  float unit_;
  std::vector<std::string> classes_, targets_{"one", "ten"};
};

}  // namespace millrace

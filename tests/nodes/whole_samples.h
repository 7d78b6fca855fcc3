#pragma once
// What the tests of statistics and of standardising read: tests/data/nodes/statistics.json, as
// tests/reference/record_statistics.py wrote it.

#include "catch.h"

#include <millrace/core/shape.h>
#include <millrace/io/dataset.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

namespace millrace::test {

inline const nlohmann::json& statistics_sets() {
  static const nlohmann::json file = [] {
    std::ifstream in(MILLRACE_TEST_DATA "/nodes/statistics.json");
    REQUIRE(in);
    return nlohmann::json::parse(in);
  }();
  return file.at("sets");
}

inline Shape shape_of(const nlohmann::json& set) {
  const auto extents = set.at("shape").get<std::vector<std::int64_t>>();
  return {extents[0], extents[1], extents[2]};
}

/// The largest difference, in units of the largest expected value.
template <class Value>
double relative_error(const std::vector<Value>& values, const nlohmann::json& expected) {
  REQUIRE(values.size() == expected.size());
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double wanted = expected[i].get<double>();
    error = std::max(error, std::abs(static_cast<double>(values[i]) - wanted));
    largest = std::max(largest, std::abs(wanted));
  }
  return error / largest;
}

/// The recorded images as a data set.
class Images final : public Dataset {
 public:
  explicit Images(const nlohmann::json& set) : shape_(shape_of(set)) {
    for (const auto& image : set.at("pixels")) {
      images_.push_back(image.get<std::vector<std::uint8_t>>());
    }
  }
  [[nodiscard]] std::uint32_t size() const noexcept override {
    return static_cast<std::uint32_t>(images_.size());
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t index) const override {
    return std::to_string(index);
  }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
  [[nodiscard]] Shape natural_shape() const override { return shape_; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter, Decoder&) const override {
    std::copy(images_[index].begin(), images_[index].end(), target.as<std::uint8_t>().begin());
  }

 private:
  Shape shape_;
  std::vector<std::vector<std::uint8_t>> images_;
  std::vector<std::string> classes_{"one"};
};

}  // namespace millrace::test

#pragma once
// Tables of numbers as a data set: features and, in the last column, the class.

#include <millrace/io/dataset.h>

#include <filesystem>

namespace millrace {

/// A file of lines "feature,feature,...,label". Features are finite numbers, the label is a whole
/// number from 0 on. The first line may be a header: it is one if its first field is no number.
/// Empty lines and spaces around fields are ignored. Classes are "0", "1", ... unless names are
/// given.
class CsvDataset final : public Dataset {
 public:
  /// Throws Error with the number of the line: a field that is no number, another number of
  /// columns, a label that is no class; and for a file without samples.
  explicit CsvDataset(std::filesystem::path path, std::vector<std::string> classes = {});

  [[nodiscard]] std::uint32_t size() const noexcept override {
    return static_cast<std::uint32_t>(labels_.size());
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override;
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] std::string place() const override { return file_; }
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {features_}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::f32; }
  /// Target: f32 with natural_shape().elements() elements. Filter and decoder are not used.
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  class Parser;

  std::string file_;
  std::int64_t features_ = 0;
  std::vector<float> values_;  // [size()][features_]
  std::vector<std::int32_t> labels_;
  std::vector<std::string> classes_;
};

}  // namespace millrace

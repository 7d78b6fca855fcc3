#pragma once
// Tables of numbers as a data set: a class or targets, and features, columns in any order.

#include <millrace/core/table_form.h>
#include <millrace/io/csv_options.h>
#include <millrace/io/dataset.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// A file of lines "feature,feature,...,label", cut into cells as Python's csv module does (quotes,
/// "" inside them, \n, \r\n or \r at the ends of lines; blank lines and spaces around cells do not
/// count). Features are numbers that float32 can hold, labels whole numbers from 0 on.
///
/// The first line is a header if it holds all names of known.columns, or is 0,1,...,n-1 (two or
/// more), or has a word in a column in which another line has a number (or is alone, and without
/// numbers). Missing values (an empty
/// cell, nan, ?, NA, ...), numbers in quotes and what begins like a number are no words.
///
/// Where both this header and known.columns have names, columns are found by name, others are left
/// out, and so says a note. Else they go by their order. Classes are "0", "1", ... unless names are
/// given. With options.targets there are targets in place of classes, of which a cell without a
/// value is unknown; they are called what their columns are, or what options.targets says.
class CsvDataset final : public Dataset {
 public:
  /// Throws Error with line, column and what to do: a cell that is no number, another number of
  /// columns, a label that is no class, a name that is missing or not unique; and for a file
  /// without samples.
  explicit CsvDataset(std::filesystem::path path, std::vector<std::string> classes = {},
                      const CsvOptions& options = {});

  [[nodiscard]] const std::string& file() const noexcept { return file_; }

  [[nodiscard]] std::uint32_t size() const noexcept override { return rows_; }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  /// 0 where there is no column of labels.
  [[nodiscard]] int label(std::uint32_t index) const override;
  [[nodiscard]] const std::vector<std::string>& targets() const noexcept override {
    return target_names_;
  }
  void target(std::uint32_t index, std::span<float> values) const override;
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] std::string place() const override { return file_; }
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {features_}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::f32; }
  [[nodiscard]] const TableForm* table() const noexcept override { return &form_; }
  [[nodiscard]] std::vector<std::string> notes() const override;
  /// Target: f32 with natural_shape().elements() elements. Filter and decoder are not used.
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  class Parser;

  void name_classes();

  std::string file_;
  std::uint32_t rows_ = 0;
  std::int64_t features_ = 0;
  std::vector<float> values_;         // [size()][features_]
  std::vector<std::int32_t> labels_;  // empty without a column of them
  std::vector<std::string> classes_;
  std::vector<float> targets_;  // [size()][target_names_.size()]
  std::vector<std::string> target_names_;
  TableForm form_;
  std::vector<std::string> notes_;
};

}  // namespace millrace

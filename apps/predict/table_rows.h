#pragma once
// Rows of the tables that a command line names, without labels, as a data set that a pipeline can
// read.

#include "apps/common/left_out_report.h"

#include <millrace/io/csv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace millrace::apps {

/// One table after the other. There are no classes; every label is 0.
class TableRows final : public Dataset {
 public:
  using Tables = std::vector<std::shared_ptr<const CsvDataset>>;
  /// Requires: one table or more, all of one shape.
  explicit TableRows(Tables tables);

  /// The table that a sample comes from, and its row in that, from 0.
  [[nodiscard]] std::pair<const CsvDataset&, std::uint32_t> place(std::uint32_t index) const;

  [[nodiscard]] std::uint32_t size() const noexcept override { return ends_.back(); }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return tables_.front()->natural_shape(); }
  [[nodiscard]] DType dtype() const noexcept override { return DType::f32; }
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  Tables tables_;
  std::vector<std::uint32_t> ends_;  // of each table, in samples
  std::vector<std::string> classes_;
};

/// Tables that cannot be read are complained of and the others taken, with their notes on standard
/// error. Null if none is left.
[[nodiscard]] std::shared_ptr<const TableRows> open_tables(const std::vector<std::string>& files,
                                                           const CsvOptions& options,
                                                           Complaints& complaints);

}  // namespace millrace::apps

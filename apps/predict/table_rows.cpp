#include "apps/predict/table_rows.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace millrace::apps {

TableRows::TableRows(Tables tables) : tables_(std::move(tables)) {
  std::uint64_t end = 0;
  for (const auto& table : tables_) {
    end += table->size();
    if (end > std::numeric_limits<std::uint32_t>::max()) {
      throw Error("more than 4,294,967,295 rows; name fewer tables at once");
    }
    ends_.push_back(static_cast<std::uint32_t>(end));
  }
}

std::pair<const CsvDataset&, std::uint32_t> TableRows::place(std::uint32_t index) const {
  const auto end = std::upper_bound(ends_.begin(), ends_.end(), index);
  const auto table = static_cast<std::size_t>(end - ends_.begin());
  return {*tables_.at(table), index - (table == 0 ? 0 : ends_[table - 1])};
}

std::string TableRows::name(std::uint32_t index) const {
  const auto [table, row] = place(index);
  return table.name(row);
}

Bytes TableRows::index_bytes() const noexcept {
  Bytes bytes;
  for (const auto& table : tables_) bytes += table->index_bytes();
  return bytes;
}

void TableRows::load(std::uint32_t index, TensorView target, Filter filter,
                     Decoder& decoder) const {
  const auto [table, row] = place(index);
  table.load(row, target, filter, decoder);
}

std::shared_ptr<const TableRows> open_tables(const std::vector<std::string>& files,
                                             const CsvOptions& options, Complaints& complaints) {
  TableRows::Tables tables;
  for (const std::string& file : files) {
    try {
      tables.push_back(std::make_shared<CsvDataset>(file, std::vector<std::string>{}, options));
      for (const std::string& note : tables.back()->notes()) print_note(note, Show::nothing);
    } catch (const Error& error) {
      complaints.say(error.what());
    }
  }
  return tables.empty() ? nullptr : std::make_shared<TableRows>(std::move(tables));
}

}  // namespace millrace::apps

#pragma once
// Tables of tests: what is read of a text, or why it is refused.

#include <millrace/io/csv.h>
#include <millrace/io/decode.h>

#include "io/scratch.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

using Lines = std::vector<std::string>;
using Floats = std::vector<float>;

inline std::string csv_error(std::string_view text, const CsvOptions& options = {}) {
  const Scratch scratch;
  const auto path = scratch.write("t.csv", text);
  const std::string error = error_of([&] { CsvDataset set(path, {}, options); });
  return error.empty() ? error : error.substr(path.string().size());
}

/// What is read of a table, its notes without the name of the file.
struct Table {
  std::uint32_t rows = 0;
  std::size_t classes = 0;
  Floats features;
  std::vector<int> labels;
  Lines columns, notes;
  TableForm form;
};

inline Table read(std::string_view text, const CsvOptions& options = {}) {
  const Scratch scratch;
  const auto path = scratch.write("t.csv", text);
  const CsvDataset set(path, {}, options);
  Table table{set.size(), set.classes().size(), {}, {}, set.table()->columns, {}, *set.table()};
  for (const std::string& note : set.notes()) {
    table.notes.push_back(note.substr(path.string().size()));
  }
  Decoder decoder;
  Floats row(static_cast<std::size_t>(set.natural_shape().elements()));
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    set.load(i, TensorView(std::span(row), set.natural_shape()), Filter::nearest, decoder);
    table.features.insert(table.features.end(), row.begin(), row.end());
    table.labels.push_back(set.label(i));
  }
  return table;
}

}  // namespace millrace::test

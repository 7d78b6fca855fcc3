#pragma once
// How a command's table is read: by its options, else as the model's own data were.

#include <millrace/io/csv_options.h>
#include <millrace/nn/model.h>

#include <string>

namespace millrace {

/// What was asked, for data of a model that was trained on such a table.
[[nodiscard]] CsvOptions for_model(CsvOptions asked, const nn::Model& model);

/// Throws UsageError where something was asked of a table and `data` is none.
void check_is_table(const CsvOptions& options, const std::string& data, bool is_table);

}  // namespace millrace

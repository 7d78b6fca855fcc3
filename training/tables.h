#pragma once
// How a command's table is read: by its options, else as the model's own data were; and whether
// samples are rows or images.

#include <millrace/io/csv_options.h>
#include <millrace/nn/model.h>

#include <string>

namespace millrace {

/// What was asked, for data of a model that was trained on such a table.
[[nodiscard]] CsvOptions for_model(CsvOptions asked, const nn::Model& model);

/// "images", or "rows of 3 numbers", for messages: of a model's input or Dataset::natural_shape().
[[nodiscard]] std::string kind_of_samples(const Shape& shape);

/// Throws UsageError where something was asked of a table and `data` is none.
void check_is_table(const CsvOptions& options, const std::string& data, bool is_table);

}  // namespace millrace

#include <millrace/training/tables.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

namespace millrace {

CsvOptions for_model(CsvOptions asked, const nn::Model& model) {
  asked.known = model.table;
  asked.known_targets = model.targets;
  if (model.input.rank() == 1) asked.features = model.input.elements();
  return asked;
}

std::string kind_of_samples(const Shape& shape) {
  if (shape.rank() != 1) return "images";
  return concat("rows of ", shape[0], ' ', plural(shape[0], "number"));
}

void check_is_table(const CsvOptions& options, const std::string& data, bool is_table) {
  const char* const given = options.header              ? "header"
                            : !options.label.empty()    ? "label-column"
                            : !options.targets.empty()  ? "targets"
                            : options.separator != '\0' ? "separator"
                                                        : nullptr;
  if (is_table || given == nullptr) return;
  throw UsageError(concat("--", given, " is for tables, and ", data, " is not one; leave it out"));
}

}  // namespace millrace

#include "fuzz/harnesses.h"

#include <millrace/io/csv.h>
#include <millrace/io/decode.h>

namespace millrace::test {
namespace {

void read_all(const CsvDataset& rows) {
  Decoder decoder;
  std::vector<float> row(static_cast<std::size_t>(rows.natural_shape().elements()));
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    rows.load(i, {reinterpret_cast<std::byte*>(row.data()), rows.natural_shape(), DType::f32},
              Filter::nearest, decoder);
    if (!rows.classes().empty()) (void)rows.classes().at(static_cast<std::size_t>(rows.label(i)));
  }
}

}  // namespace

void fuzz_csv(Input input) {
  const MemoryFile memory(input);
  const CsvOptions to_predict{.separator = ';',
                              .known = {.columns = {"b", "a"}, .label = "class", .label_column = 3},
                              .features = 2,
                              .needs_label = false};
  survive([&] { read_all(CsvDataset(memory.path())); });
  survive([&] { read_all(CsvDataset(memory.path(), {}, to_predict)); });
}

}  // namespace millrace::test

#include "fuzz/harnesses.h"

#include <millrace/io/csv.h>
#include <millrace/io/decode.h>

namespace millrace::test {

void fuzz_csv(Input input) {
  const MemoryFile memory(input);
  survive([&] {
    const CsvDataset rows(memory.path());
    Decoder decoder;
    std::vector<float> row(static_cast<std::size_t>(rows.natural_shape().elements()));
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      rows.load(i, {reinterpret_cast<std::byte*>(row.data()), rows.natural_shape(), DType::f32},
                Filter::nearest, decoder);
      (void)rows.classes().at(static_cast<std::size_t>(rows.label(i)));
    }
  });
}

}  // namespace millrace::test

#include "fuzz/harnesses.h"

#include <millrace/io/decode.h>
#include <millrace/io/idx.h>

#include <array>

namespace millrace::test {

// As images, with the input as labels where that fits, and else with three of them.
void fuzz_idx(Input input) {
  constexpr std::string_view kLabels("\0\0\x08\x01\0\0\0\3\0\2\1", 11);
  const MemoryFile memory(input), labels(std::as_bytes(std::span(kLabels)));
  survive([&] {
    const IdxArray array = read_idx(memory.path());
    if (array.values.size() != static_cast<std::size_t>(array.shape.elements())) {
      throw std::logic_error("values and shape differ");
    }
  });
  survive([&] { const IdxDataset images(memory.path(), memory.path()); });
  survive([&] {
    const IdxDataset images(memory.path(), labels.path());
    std::array<std::uint8_t, 25> pixels{};
    Decoder decoder;
    images.load(2, {reinterpret_cast<std::byte*>(pixels.data()), {5, 5, 1}, DType::u8},
                Filter::bilinear, decoder);
  });
}

}  // namespace millrace::test

#include "fuzz/harnesses.h"

#include <millrace/io/detail/hdf5_messages.h>

#include <algorithm>
#include <stdexcept>

namespace millrace::test {

void fuzz_hdf5(Input input) {
  survive([&] {
    const Hdf5Contents contents = detail::unpacked(input);
    for (const Hdf5Dataset& dataset : contents.datasets) {
      if (dataset.shape.elements() < 1) throw std::logic_error("a data set without elements");
    }
    const std::vector<std::byte> again = detail::packed(contents);
    if (!std::ranges::equal(detail::packed(detail::unpacked(again)), again)) {
      throw std::logic_error("a list of contents that is not what was packed");
    }
  });
}

}  // namespace millrace::test

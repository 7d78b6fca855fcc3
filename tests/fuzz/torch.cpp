#include "fuzz/harnesses.h"

#include <millrace/io/torch_file.h>

#include <algorithm>

namespace millrace::test {

void fuzz_torch(Input input) {
  constexpr std::int64_t kMost = 1 << 20;  // a stride of zero makes many elements of one
  const MemoryFile memory(input);
  survive([&] {
    const TorchFile file(memory.path());
    for (std::size_t i = 0; i < file.tensors().size(); ++i) {
      const std::int64_t elements = file.tensors()[i].shape.elements();
      std::vector<float> values(static_cast<std::size_t>(std::min(elements, kMost)));
      survive([&] { file.read(i, 0, values); });
    }
  });
}

}  // namespace millrace::test

#include "fuzz/harnesses.h"

#include <millrace/io/safetensors.h>

namespace millrace::test {

void fuzz_safetensors(Input input) {
  const MemoryFile memory(input);
  survive([&] {
    const SafetensorsFile file(memory.path());
    for (const SafetensorsFile::Tensor& tensor : file.tensors()) {
      std::vector<float> values(static_cast<std::size_t>(tensor.shape.elements()));
      survive([&] { file.read(tensor.name, values); });
    }
  });
}

}  // namespace millrace::test

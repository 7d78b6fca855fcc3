#include "fuzz/harnesses.h"

#include <millrace/io/detail/keras_archive.h>

namespace millrace::test {

void fuzz_keras(Input input) {
  const MemoryFile memory(input);
  survive([&] {
    const RandomAccessFile file(memory.path());
    const detail::KerasArchive archive = detail::open_keras_archive(file);
    if (archive.weights == nullptr) return;
    // It is a copy of a part.
    if (RandomAccessFile(archive.weights->path()).size() > input.size()) {
      throw std::logic_error("weights that are larger than their archive");
    }
  });
}

}  // namespace millrace::test

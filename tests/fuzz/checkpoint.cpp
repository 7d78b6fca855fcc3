#include "fuzz/harnesses.h"

#include <millrace/io/checkpoint.h>

namespace millrace::test {

void fuzz_checkpoint(Input input) {
  const MemoryFile memory(with_checkpoint_checksum(input));
  survive([&] {
    const Checkpoint checkpoint = read_checkpoint(memory.path());
    for (const auto& value : checkpoint.values) {
      survive([&] { (void)checkpoint.get<double>(value.first); });
      survive([&] { (void)checkpoint.get<std::uint32_t>(value.first); });
      survive([&] { (void)checkpoint.get<bool>(value.first); });
    }
    for (const auto& array : checkpoint.arrays) {
      survive([&] { (void)checkpoint.array(array.first, 4); });
    }
  });
}

}  // namespace millrace::test

#include "fuzz/harnesses.h"

#include <millrace/io/checkpoint.h>

namespace millrace::test {

void fuzz_checkpoint(Input input) {
  const MemoryFile memory(with_checkpoint_checksum(input));
  survive([&] {
    const Checkpoint checkpoint = read_checkpoint(memory.path());
    for (const auto& [key, value] : checkpoint.values) {
      survive([&] { (void)checkpoint.get<double>(key); });
      survive([&] { (void)checkpoint.get<std::uint32_t>(key); });
      survive([&] { (void)checkpoint.get<bool>(key); });
    }
    for (const auto& [name, values] : checkpoint.arrays) {
      survive([&] { (void)checkpoint.array(name, 4); });
    }
  });
}

}  // namespace millrace::test

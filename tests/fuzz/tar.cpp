#include "fuzz/harnesses.h"

#include <millrace/io/decode.h>
#include <millrace/io/tar_shards.h>

#include <array>

namespace millrace::test {

// With and without labels, all that is read of a sample.
void fuzz_tar(Input input) {
  const MemoryFile memory(input);
  for (const bool needs_labels : {true, false}) {
    survive([&] {
      const TarShards shards("shard.tar", {memory.path()}, Watch{},
                             {.needs_labels = needs_labels, .skips_damage = !needs_labels});
      std::array<std::byte, 25> pixels{};
      Decoder decoder;
      for (std::uint32_t i = 0; i < shards.size(); ++i) {
        const auto label = static_cast<std::size_t>(shards.label(i));
        if (needs_labels && label >= shards.classes().size()) {
          throw std::logic_error("a label without a class");
        }
        (void)shards.name(i);
        (void)shards.read_start(i, pixels);
        survive([&] {
          shards.load(i, {pixels.data(), {5, 5, 1}, DType::u8}, Filter::bilinear, decoder);
        });
      }
      (void)shards.notes();
    });
  }
}

}  // namespace millrace::test

#include "apps/command_line.h"
#include "fuzz/harnesses.h"

namespace millrace::test {

void fuzz_recipe(Input input) {
  const MemoryFile memory(input);
  survive([&] {
    bool flag = false;
    double rate = 0;
    std::string text, data;
    std::uint32_t epochs = 0;
    std::optional<std::int64_t> size;
    std::optional<std::uint16_t> seed;
    apps::CommandLine line("train", "train DATA", "as the program's");
    line.positional("data", data);
    line.topic("all", "All kinds of values");
    line("quiet", flag, "", "yes or no");
    line("learning-rate", rate, "X", "a number");
    line("model", text, "NAME", "a word");
    line("epochs", epochs, "N", "a count");
    line("size", size, "N", "may be left out");
    line("seed", seed, "N", "small");
    line.accept_recipe();
    (void)line.parse({"--recipe", memory.path()});
    (void)line.recipe({"data"});
  });
}

}  // namespace millrace::test

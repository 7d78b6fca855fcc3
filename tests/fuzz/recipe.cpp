#include "fuzz/harnesses.h"

#include <millrace/training/recipe.h>

#include <optional>
#include <string>
#include <vector>

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
    std::vector<double> factors;
    OptionList options;
    options.positional("data", data);
    options.topic("all", "All kinds of values");
    options("quiet", flag, "", "yes or no");
    options("learning-rate", rate, "X", "a number", above(0));
    options("model", text, "NAME", "a word").needs("quiet", [&] { return flag; });
    options("epochs", epochs, "N", "a count");
    options("size", size, "N", "may be left out");
    options("seed", seed, "N", "small");
    options("factors", factors, "X,X", "several");
    read_recipe(memory.path(), options);
    (void)options.settle();
    (void)recipe_text(options);
  });
}

}  // namespace millrace::test

// Ctrl-C in commands that train nothing: each says what it left undone, and ends with status 130.

#include "apps/known_model.h"

#include <csignal>

using namespace millrace;
using namespace millrace::test;

namespace {

/// What the program printed that was interrupted when it had printed `at`.
Outcome interrupted(const std::vector<std::string>& arguments, const std::string& at) {
  Outcome outcome = run(arguments, {.signal = SIGINT, .signal_at = at});
  INFO(outcome.err);
  CHECK(outcome.status == 128 + SIGINT);
  CHECK(outcome.out.empty());
  return outcome;
}

}  // namespace

TEST_CASE("a benchmark of a large network tells what it measures, and stops at the next step") {
  const std::vector<std::string> model{"mobilenet_v2", "--input", "96x96x3", "--batch", "128"};
  std::vector<std::string> bench{"bench", "compute"};
  bench.insert(bench.end(), model.begin(), model.end());
  for (const char* word : {"--repeats", "1000000", "--warmup", "1000000"}) bench.emplace_back(word);
  const Outcome outcome = interrupted(bench, "measuring mobilenet_v2 at batch 128 on cpu\n");
  CHECK(outcome.err ==
        "measuring mobilenet_v2 at batch 128 on cpu\n"
        "millrace: stopping; Ctrl-C again ends at once\n"
        "millrace: stopped by a signal; measurements so far are not shown\n");
}

TEST_CASE("inspect --against stops at a signal while a large network is measured") {
  const Outcome outcome =
      interrupted({"inspect", "model", "mobilenet_v2", "--against", "mobilenet_v2", "--input",
                   "96x96x3", "--outputs", "10", "--batch", "512"},
                  "measuring mobilenet_v2 at batch 512 on cpu\n");
  CHECK(holds(outcome.err, "millrace: stopped by a signal before all was inspected\n"));
}

TEST_CASE("the other benchmarks stop at a signal") {
  const auto [words, at] = GENERATE(table<std::vector<std::string>, std::string>(
      {{{"bench", "runtime", "--hops", "100000000"}, "measuring hops"},
       {{"bench", "augment", "--repeats", "1000000"}, "measuring images of 150x150x3"},
       {{"bench", "runtime", "--hops", "20000000", "--items", "100000000", "--work", "0"},
        "measuring hops"}}));
  CHECK(holds(interrupted(words, at).err,
              "millrace: stopped by a signal; measurements so far are not shown\n"));
}

TEST_CASE("a conversion that is stopped leaves no file, and one that is not leaves a whole one") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string out = (scratch / "out").string();
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"convert", "onnx", model}, Words{"convert", "weights", model},
                             Words{"prune", model}}) {
    std::vector<std::string> arguments = words;
    arguments.push_back(out);
    std::filesystem::remove(out);
    const Outcome whole = run(arguments);
    REQUIRE(whole.status == 0);
    const auto size = std::filesystem::file_size(out);
    for (int i = 0; i < 40; ++i) {
      std::filesystem::remove(out);
      const Outcome outcome =
          run(arguments, {.kill_after_us = 500 * (i + 1), .kill_signal = SIGINT});
      INFO(outcome.err);
      CHECK((outcome.status == 0 || outcome.status == 128 + SIGINT));
      // Before the program watches for signals, and once it is done, one ends it without a word.
      const bool is_there = std::filesystem::exists(out);
      const auto files = std::distance(std::filesystem::directory_iterator(scratch / "."), {});
      CHECK(files == (is_there ? 2 : 1));
      if (outcome.status == 0) CHECK(is_there);
      if (is_there) CHECK(std::filesystem::file_size(out) == size);
      if (outcome.err.empty()) continue;
      CHECK(outcome.err == concat("millrace: stopped by a signal before ", out, " was written\n"));
      CHECK(outcome.status == 128 + SIGINT);
      CHECK_FALSE(is_there);
    }
  }
}

// Runs that failed or ended early: what they leave, and whether the advice that they print works
// when it is followed to the letter.

#include "apps/train_run.h"

#include <millrace/core/shell_text.h>

#include <array>
#include <csignal>
#include <cstdio>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// The words after "millrace " of the command that follows `mark`, as bash takes them apart.
Arguments advised(const std::string& text, const std::string& mark) {
  const std::string begin = mark + "millrace ";
  const std::size_t at = text.find(begin);
  INFO(text);
  REQUIRE(at != std::string::npos);
  const std::string command =
      text.substr(at + begin.size(), text.find('\n', at) - at - begin.size());
  const Scratch scratch;
  const fs::path script = scratch.write("script", "printf '%s\\n' " + command + '\n');
  FILE* const shell = ::popen(("bash " + shell_quoted(script.native())).c_str(), "r");
  REQUIRE(shell != nullptr);
  std::string out;
  std::array<char, 256> block{};
  while (const std::size_t n = std::fread(block.data(), 1, block.size(), shell)) {
    out.append(block.data(), n);
  }
  REQUIRE(::pclose(shell) == 0);
  return Outcome::lines(out);
}

/// Of which an image is damaged.
fs::path write_damaged(const fs::path& data) {
  write_classes(data, {"dark", "light"}, 10);
  std::ofstream(data / "dark/broken.png") << "\x89PNG\r\n\x1A\n and no more";
  return data;
}

}  // namespace

TEST_CASE("a run that fails before its first checkpoint leaves nothing that it made") {
  const Scratch scratch;
  const fs::path data = write_damaged(scratch / "data");
  const Arguments words = with({"train", data.string()}, quick_steps(3));
  const Outcome unnamed = run(words, {.directory = scratch.path()});
  CHECK(unnamed.status == 1);
  CHECK_THAT(unnamed.err, Contains("broken.png"));
  CHECK_FALSE(fs::exists(scratch / "runs"));
  const Arguments into = with(words, {"--run-dir", (scratch / "run 1").string()});
  CHECK(run(into).status == 1);
  CHECK_FALSE(fs::exists(scratch / "run 1"));
}

TEST_CASE("a failed run in a folder that was there is not offered to be resumed") {
  const Scratch scratch;
  const fs::path data = write_damaged(scratch / "data"), run_dir = scratch / "run 1";
  scratch.write("run 1/notes.txt", "mine");
  const Arguments into =
      with({"train", data.string(), "--run-dir", run_dir.string()}, quick_steps(3));
  REQUIRE(run(into).status == 1);
  CHECK(fs::exists(run_dir / "notes.txt"));
  fs::remove(data / "dark/broken.png");
  const Outcome again = run(into);
  CHECK(again.status == 1);
  CHECK_THAT(again.err,
             Contains("holds a run already; choose another --run-dir, or --overwrite it") &&
                 !Contains("--resume"));
  const Outcome resumed = run({"train", "--resume", run_dir.string()});
  CHECK(resumed.status == 1);
  CHECK_THAT(resumed.err, Contains("holds no checkpoint to resume from"));
  const Outcome anew = run(advised(resumed.err, "to start over: "));
  INFO(anew.err);
  CHECK(anew.status == 0);
  CHECK(metrics(run_dir).size() == 3);
  CHECK(fs::exists(run_dir / "notes.txt"));
}

TEST_CASE("commands that are printed work where paths have blanks and quotes") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "it's data", {"dark", "light"}, 20);
  const fs::path run_dir = scratch / "run 1";
  const Outcome stopped = train(data, run_dir, quick_steps(100'000, {"--validation-share", "0.3"}),
                                {.signal = SIGINT, .signal_at = "epoch 2/"});
  REQUIRE(stopped.status == 128 + SIGINT);
  const Arguments resume = advised(stopped.err, "resume with: ");
  CHECK(resume == Arguments{"train", "--resume", run_dir.string()});
  const Outcome there =
      run(with({"train", data.string(), "--run-dir", run_dir.string()}, quick_steps(1)));
  CHECK(advised(there.err, "or resume it: ") == resume);
  const Outcome warned = run({"evaluate", run_dir.string(), data.string(), "--json"});
  const Outcome held_out = run(advised(warned.err, "that it held out: "));
  INFO(held_out.err);
  CHECK(held_out.status == 0);
  CHECK_THAT(held_out.out, Contains("samples   12\n"));
  std::ifstream config(run_dir / "config.ini");
  std::string first;
  REQUIRE(std::getline(config, first));
  CHECK(advised(first, "# Run this again with: ") ==
        Arguments{"train", "--recipe", (run_dir / "config.ini").string(), "--run-dir", "OTHER"});
}

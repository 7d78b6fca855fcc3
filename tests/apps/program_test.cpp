// The program as a whole: help, versions, and requests that make no sense.

#include "apps/run_program.h"
#include "catch.h"
#include "io/scratch.h"

using millrace::test::Outcome;
using millrace::test::run;

namespace {

void check_one_line(const Outcome& outcome, int status, const std::string& part) {
  INFO(outcome.err);
  CHECK(outcome.status == status);
  REQUIRE(Outcome::lines(outcome.err).size() == 1);
  CHECK(outcome.err.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("the program lists its commands") {
  const Outcome outcome = run({"--help"});
  CHECK(outcome.status == 0);
  CHECK(outcome.err.empty());
  for (const char* command : {"train", "evaluate", "predict", "inspect", "bench", "convert"}) {
    CHECK(outcome.out.find(command) != std::string::npos);
  }
}

TEST_CASE("no command, an unknown one and an unknown option are bad usage and one line") {
  check_one_line(run({}), 2, "no command");
  check_one_line(run({"trian"}), 2, "'trian'");
  for (const char* command : {"train", "evaluate", "predict", "inspect", "bench", "convert"}) {
    check_one_line(run({command, "--bathc", "1"}), 2, "--bathc");
  }
}

TEST_CASE("help of a command is had in three ways") {
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"train"}, Words{"convert"}, Words{"bench", "compute"}}) {
    Words after = words, before{"--help"}, plain{"help"};
    after.emplace_back("--help");
    before.insert(before.end(), words.begin(), words.end());
    plain.insert(plain.end(), words.begin(), words.end());
    const Outcome expected = run(after);
    CHECK(expected.status == 0);
    CHECK(expected.out.find("usage: millrace " + words.front()) == 0);
    for (const Words& other : {before, plain}) {
      const Outcome outcome = run(other);
      CHECK(outcome.status == 0);
      CHECK(outcome.out == expected.out);
    }
  }
  check_one_line(run({"help", "trian"}), 2, "unknown command 'trian'");
  CHECK(run({"help", "help"}).out == run({"--help"}).out);
}

TEST_CASE("a recipe that is not there is told with the places searched and the reason") {
  check_one_line(run({"train", "x", "--recipe", "nosuch.ini"}), 2,
                 "cannot read the recipe nosuch.ini: there is no such file here, nor in /");
  check_one_line(run({"train", "x", "--recipe", "nosuch.ini"}), 2, "transfer.ini");
  check_one_line(run({"train", "x", "--recipe", "./no/such.ini"}), 2,
                 "cannot read the recipe ./no/such.ini: No such file or directory");
}

TEST_CASE("an error about the shape of a named model tells the options that are missing") {
  check_one_line(run({"inspect", "cnn"}), 2, "needs --input HxWxC and --outputs K");
  check_one_line(run({"inspect", "cnn", "--input", "32x32x3"}), 2, "'cnn' needs --outputs K");
  check_one_line(run({"inspect", "cnn", "--outputs", "3"}), 2, "'cnn' needs --input HxWxC\n");
}

TEST_CASE("help fits a line of 80 characters, and no line ends in a blank") {
  using Words = std::vector<std::string>;
  for (Words words :
       {Words{}, Words{"train"}, Words{"evaluate"}, Words{"predict"}, Words{"inspect"},
        Words{"convert"}, Words{"prune"}, Words{"bench"}, Words{"bench", "compute"},
        Words{"bench", "train"}, Words{"bench", "augment"}, Words{"bench", "runtime"}}) {
    words.emplace_back("--help");
    const Outcome outcome = run(words);
    CHECK(outcome.status == 0);
    for (const std::string& line : Outcome::lines(outcome.out)) {
      INFO(words.front() << ": " << line);
      CHECK(line.size() <= 80);
      CHECK((line.empty() || line.back() != ' '));
    }
  }
}

TEST_CASE("every command explains itself") {
  for (const char* command : {"train", "evaluate", "predict", "inspect", "bench", "convert"}) {
    const Outcome outcome = run({command, "--help"});
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find(std::string("usage: millrace ") + command) == 0);
    CHECK(outcome.out.find("(--help options)") == std::string::npos);  // a topic of nothing
  }
}

TEST_CASE("two models side by side fit a line of 80 characters, whatever they are called") {
  const millrace::test::Scratch scratch;
  const std::string file =
      scratch
          .write("of-a-long-name.json",
                 R"({"name":"m","input":[28,28,1],"layers":[{"name":"f","kind":"flatten"},
                    {"name":"d","kind":"dense","units":10}]})")
          .string();
  for (const std::string& other : {std::string("mlp:8"), file}) {
    const Outcome outcome = run({"inspect", "model", "mlp:500", "--against", other, "--input",
                                 "28x28x1", "--outputs", "10", "--batch", "100"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    const std::vector<std::string> lines = Outcome::lines(outcome.out);
    const bool are_short = other != file;
    for (std::size_t i = are_short ? 0 : 2; i < lines.size(); ++i) CHECK(lines[i].size() <= 80);
    if (!are_short) CHECK(outcome.out.find("first   mlp:500\nsecond  " + file + '\n') == 0);
  }
}

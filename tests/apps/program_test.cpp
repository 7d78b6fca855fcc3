// The program as a whole: help, versions, and requests that make no sense.

#include "apps/run_program.h"
#include "catch.h"

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

TEST_CASE("help fits a line of 100 characters, and no line ends in a blank") {
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
      CHECK(line.size() <= 100);
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

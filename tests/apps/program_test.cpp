// The program as a whole: help, versions, and requests that it cannot mean.

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

TEST_CASE("every command explains itself") {
  for (const char* command : {"train", "evaluate", "predict", "inspect", "bench", "convert"}) {
    const Outcome outcome = run({command, "--help"});
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find(std::string("usage: millrace ") + command) == 0);
    CHECK(outcome.out.find("(--help options)") == std::string::npos);  // a topic of nothing
  }
}

// How runs end, in the code of docs/library.md, run. A test of tests/scripts compares the page with
// this file.

#include "catch.h"

#include <millrace/core/error.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/pipeline.h>

#include <iostream>

using namespace millrace;
using Catch::Contains;

namespace {

std::string what_became_of(Pipeline& p, std::stop_token stop = {}) {
  try {
    const Report report = p.run(std::move(stop));
    std::uint64_t skipped = 0;
    for (const StageReport& stage : report.stages) skipped += stage.skipped;
    return concat(report.stopped ? "stopped" : "ended", ", ", skipped, " left out");
  } catch (const BudgetError& error) {  // before anything is allocated
    return concat("refused: ", error.what());
  } catch (const StageError& error) {  // what was thrown is nested in it
    return concat("failed in ", error.stage(), " at item ", error.item(), ": ", error.what());
  }
}

int run_until_interrupted(Pipeline& p) {
  const Interrupt interrupt;  // a second Ctrl-C ends the process at once
  p.run(interrupt.token());
  return interrupt.exit_status();
}

Pipeline watched_pipeline() {
  return Pipeline({.name = "train",
                   .budget = 4_GiB,
                   .stall = {.after_s = 60,
                             .tell = [](const std::string& line) { std::cerr << line << '\n'; }}});
}

}  // namespace

TEST_CASE("runs end as the page for programs says") {
  const auto counting = [](Pipeline& p, int bad, OnError on_error) {
    auto numbers = p.source("count", slots(2), [](Position) -> Generator<int> {
      for (int i = 0; i < 5; ++i) co_yield i;
    });
    auto checked = p.then(numbers, {.name = "check", .on_error = on_error}, [bad](int i) {
      if (i == bad) throw Error("a bad number");
      return i;
    });
    p.sink(checked, "drop", [](int) {});
  };
  Pipeline good, skipping, failing, stopped, interrupted, watched = watched_pipeline();
  counting(good, -1, fail());
  CHECK(what_became_of(good) == "ended, 0 left out");
  counting(skipping, 3, skip(1));
  CHECK(what_became_of(skipping) == "ended, 1 left out");
  counting(failing, 3, fail());
  CHECK(what_became_of(failing) == "failed in check at item 3: check: a bad number");
  std::stop_source stop;
  stop.request_stop();
  counting(stopped, -1, fail());
  CHECK_THAT(what_became_of(stopped, stop.get_token()), Contains("stopped"));
  Pipeline small{{.name = "small", .budget = 1_KiB}};
  small.charge("much", 2, 1_MiB);
  counting(small, -1, fail());
  CHECK_THAT(what_became_of(small), Contains("refused: ") && Contains("much"));
  counting(interrupted, -1, fail());
  CHECK(run_until_interrupted(interrupted) == 0);
  counting(watched, -1, fail());
  CHECK(what_became_of(watched) == "ended, 0 left out");
}
